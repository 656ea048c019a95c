/* A product of all steps by threads that share a tile: in any order of the members it gives the bits that one
 * of them alone gives, and none writes past what it was given. test_sequence [plans] */
#include "perturbed_csr.h"
#include "perturbed_recurrent.h"
#include "plan/sequence.h"

#include <stdlib.h>

enum { GUARD = 1024, USUAL_PLANS = 300 };

static const float untouched = -12345.5f;

/* A product of random steps that an output and a cell read, so that what turns it back takes it over. */
static int make_sequence(random_model *m)
{
    memset(m, 0, sizeof *m);
    CHECK_OK(snn_model_create_graph(&m->model));
    const int64_t steps = 2 + chance(12), features = 1 + chance(40), rows = 1 + chance(chance(2) ? 8 : 80);
    const int64_t all = steps * features, dims[2] = {steps, -1};
    int64_t x;
    m->inputs = all;
    CHECK_OK(snn_model_add_input(m->model, "x", &all, 1, &x));
    const int64_t turned_x = turned(m, reshaped(m, x, dims, 2));
    const int64_t back = turned(m, product_of_steps(m, turned_x, features, rows));
    if (back < 0)
        return 0;
    add_cell(m, back, 2, rows, 1);
    m->outputs = steps * rows;
    CHECK_OK(snn_model_add_output(m->model, "y", back));
    CHECK_OK(snn_model_add_output(m->model, "h", last_value(m)));
    m->nodes = (int)m->model->count;
    return 1;
}

/* count floats and a guard behind them. */
static float *guarded(int64_t count)
{
    float *made = snn_alloc((size_t)(count + GUARD), sizeof *made);
    for (int64_t i = 0; i < count + GUARD; i++)
        made[i] = untouched;
    return made;
}

static int is_guarded(const float *made, int64_t count)
{
    for (int64_t i = count; i < count + GUARD; i++)
        if (made[i] != untouched)
            return 0;
    return 1;
}

/* The members of a product, in a random order; each has a scratch of its own. */
static void run_members(const snn_plan *plan, const snn_step *step, snn_frame *frame, float *y, int members)
{
    int order[MOST_THREADS];
    for (int i = 0; i < members; i++) {
        const int at = chance(i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (int i = 0; i < members; i++) {
        frame->scratch = guarded((int64_t)plan->scratch_floats);
        snn_sequence_multiply(plan, step, frame, y, order[i], members);
        CHECK(is_guarded(frame->scratch, (int64_t)plan->scratch_floats));
        snn_free(frame->scratch);
    }
}

static void check_step(const snn_plan *plan, const snn_step *step, const snn_bucket *bucket)
{
    const int64_t samples = bucket->samples, count = step->outputs * samples;
    const int64_t with_spare = (step->outputs + plan->threads) * samples;
    const snn_extent extent = snn_plan_extent(plan);
    snn_frame frame = {.bucket = bucket, .row_floats = (size_t)samples, .samples = samples};
    frame.arena = frame.inputs = snn_alloc(extent.arena_floats, sizeof *frame.arena);
    for (size_t i = 0; i < extent.arena_floats; i++)
        frame.arena[i] = chance_value();
    float *wanted = guarded(with_spare), *y = guarded(with_spare);
    run_members(plan, step, &frame, wanted, 1);
    for (int members = 2; members <= plan->threads; members++) {
        run_members(plan, step, &frame, y, members);
        CHECK(memcmp(y, wanted, (size_t)count * sizeof *y) == 0);
        CHECK(is_guarded(y, with_spare));
        for (int64_t i = 0; i < count; i++)
            y[i] = untouched;
    }
    CHECK(is_guarded(wanted, with_spare));
    snn_free(wanted);
    snn_free(y);
    snn_free(frame.arena);
}

/* Products of several steps that were checked. */
static int check_plan(const random_model *m)
{
    int checked = 0;
    snn_plan *plan = make_random_plan(m, 2 + chance(MOST_THREADS - 1), random_isa());
    for (int64_t i = 0; plan && i < plan->step_count; i++)
        for (int b = 0; b < plan->bucket_count; b++)
            if (plan->steps[i].type == SNN_STEP_MOVE && plan->steps[i].product_step &&
                snn_takes_over_in(plan, &plan->steps[i], &plan->buckets[b])) {
                check_step(plan, &plan->steps[i], &plan->buckets[b]);
                checked++;
            }
    snn_plan_free(plan);
    return checked;
}

int main(int argc, char **argv)
{
    const long plans = argc > 1 ? atol(argv[1]) : USUAL_PLANS;
    int checked = 0;
    for (long i = 0; i < plans && check_failures == 0; i++) {
        random_model m;
        if (make_sequence(&m))
            checked += check_plan(&m);
        free_random_model(&m);
    }
    CHECK(checked >= plans);
    return check_report("test_sequence");
}
