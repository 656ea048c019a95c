/* Plans on threads that are held up at random: any mixture of tiles, any kernels, any number of threads and
 * of callers gives the bits that one thread gives. test_perturbed [runs [seed]]. */
#include "base/cpu.h"
#include "check.h"

#include "perturbed_graph.h"

#include <math.h>

enum { LARGEST = 300, RUNS_A_PLAN = 16, MOST_CALLERS = 4, USUAL_RUNS = 3000 };

/* In place of base/cache.c. */
static int small_caches;
int64_t snn_cpu_cache_bytes(int level) { return small_caches ? (level == 2 ? 1000 : 0) : (int64_t)1 << 30; }

static tally tallies[] = {
    {.name = "one step"},          {.name = "2 to 5 steps"},          {.name = "graphs"},
    {.name = "callers, one step"}, {.name = "callers, 2 to 5 steps"}, {.name = "callers, graphs"}};
enum { KINDS = 3, TALLIES = 2 * KINDS };

/* ---- one run ---- */

typedef struct job {
    const snn_plan *plan;
    tally *tally;
    float *x, *y, *wanted; /* in their orders; y with one value more, which stays */
    snn_order x_order, y_order;
    int64_t batch;
    snn_segment segments[SNN_MAX_SEGMENTS];
    int count; /* of segments; 0: as the plan cuts it */
    int reserve;
    uint64_t seed;
} job;

#define UNTOUCHED -7.0f

/* A few segments of any buckets, tiles that threads take alone before those that they share. The last tile
 * may have fewer samples than its width. */
static void cut_at_random(job *j)
{
    const snn_plan *plan = j->plan;
    const int single = chance(8) == 0; // one whole tile: x may be read in place
    int64_t width = 1;
    j->batch = 0;
    while (j->count == 0) {
        for (int split = 0; split < 2; split++) {
            for (int i = single ? j->count == 0 && chance(2) : chance(4); i > 0; i--) {
                const int bucket = chance(plan->bucket_count);
                const int64_t room = (LARGEST - j->batch) / plan->buckets[bucket].samples;
                int64_t tiles = single ? 1 : 1 + chance(split ? 3 : 2 * plan->threads);
                if (room == 0)
                    continue;
                tiles = tiles < room ? tiles : room;
                width = plan->buckets[bucket].samples;
                j->segments[j->count++] = (snn_segment){bucket, split, j->batch, tiles};
                j->batch += tiles * width;
            }
        }
    }
    if (!single && chance(2))
        j->batch -= chance((int)width);
}

/* Where the columns of input or output index begin among those of all. */
static int64_t first_column(const snn_port *ports, int64_t index)
{
    int64_t first = 0;
    for (int64_t i = 0; i < index; i++)
        first += ports[i].features;
    return first;
}

/* all (samples, features of all ports) -> one array after the other, each in that order. */
static void part(const float *all, int64_t samples, const snn_port *ports, int64_t count, snn_order order,
                 float *arrays)
{
    const int64_t features = first_column(ports, count);
    for (int64_t i = 0; i < count; arrays += samples * ports[i++].features) {
        const float *from = all + first_column(ports, i);
        for (int64_t s = 0; s < samples; s++)
            for (int64_t k = 0; k < ports[i].features; k++)
                arrays[order == SNN_FEATURES_FIRST ? k * samples + s : s * ports[i].features + k] =
                    from[s * features + k];
    }
}

/* x (LARGEST, inputs) and wanted (LARGEST, outputs): the run takes samples from anywhere in them. */
static void make_job(job *j, const snn_plan *plan, tally *tally, const float *x, const float *wanted)
{
    *j = (job){.plan = plan, .tally = tally, .x_order = chance(2), .y_order = chance(2)};
    if (chance(8))
        cut_at_random(j);
    else
        j->batch = 1 + chance(LARGEST);
    const int64_t first = chance((int)(LARGEST - j->batch + 1));
    j->x = snn_alloc((size_t)(j->batch * plan->inputs), sizeof *j->x);
    j->y = snn_alloc((size_t)(j->batch * plan->outputs + 1), sizeof *j->y);
    j->wanted = snn_alloc((size_t)(j->batch * plan->outputs + 1), sizeof *j->y);
    part(x + first * plan->inputs, j->batch, plan->ports_in, plan->in_count, j->x_order, j->x);
    part(wanted + first * plan->outputs, j->batch, plan->ports_out, plan->out_count, j->y_order, j->wanted);
    for (int64_t i = 0; i <= j->batch * plan->outputs; i++)
        j->y[i] = UNTOUCHED;
    j->wanted[j->batch * plan->outputs] = UNTOUCHED;
    j->reserve = chance(4) ? 0 : 1 + chance(MOST_CALLERS);
    j->seed = chance_bits();
}

static int same_bits(const job *j)
{
    const size_t count = (size_t)(j->batch * j->plan->outputs + 1);
    return memcmp(j->y, j->wanted, count * sizeof *j->y) == 0;
}

static void describe(const job *j)
{
    static atomic_int described;
    if (atomic_fetch_add(&described, 1) >= 5)
        return;
    printf("wrong: %s, %lld steps, %d threads, %lld -> %lld, batch %lld, orders %d %d:", j->plan->isa->name,
           (long long)j->plan->step_count, j->plan->threads, (long long)j->plan->inputs,
           (long long)j->plan->outputs, (long long)j->batch, j->x_order, j->y_order);
    for (int s = 0; s < j->count; s++)
        printf(" %lld x %d %s%s", (long long)j->segments[s].tiles,
               j->plan->buckets[j->segments[s].bucket].samples,
               j->plan->buckets[j->segments[s].bucket].layout == SNN_LAYOUT_TILE ? "tile" : "column",
               j->segments[s].split ? " split" : "");
    printf("\n");
}

static void *run_job(void *argument)
{
    job *j = argument;
    int right = 1;
    chance_seed(j->seed);
    if (j->reserve)
        right &= snn_plan_reserve(j->plan, j->reserve) == SNN_OK;
    if (j->count == 0 && j->plan->in_count == 1 && j->plan->out_count == 1) {
        right &= snn_plan_run_ordered(j->plan, j->x, j->x_order, j->batch, j->y, j->y_order) == SNN_OK;
    } else {
        if (j->count == 0)
            j->count = snn_schedule(j->plan, j->batch, j->segments);
        snn_workspace *workspace = snn_workspace_take(j->plan);
        right &= snn_plan_run_cut(j->plan, workspace, j->x, j->x_order, j->batch, j->y, j->y_order,
                                  j->segments, j->count) == SNN_OK;
        snn_workspace_return(j->plan, workspace);
    }
    right &= same_bits(j);
    count_run(j->tally, right);
    if (!right)
        describe(j);
    snn_free(j->x);
    snn_free(j->y);
    snn_free(j->wanted);
    return NULL;
}

/* ---- many ---- */

/* The run of a plan relies on it: nothing that a thread does alone comes after a split tile. */
static void check_schedule(const snn_plan *plan)
{
    snn_segment segments[SNN_MAX_SEGMENTS];
    const int count = snn_schedule(plan, 1 + chance(4 * LARGEST), segments);
    for (int s = 1; s < count; s++)
        CHECK(segments[s].split >= segments[s - 1].split);
}

static void run_callers(const snn_plan *plan, tally *tally, const float *x, const float *wanted)
{
    job jobs[MOST_CALLERS];
    pthread_t callers[MOST_CALLERS];
    const int count = 2 + chance(MOST_CALLERS - 1);
    for (int i = 0; i < count; i++)
        make_job(&jobs[i], plan, tally, x, wanted);
    for (int i = 0; i < count; i++)
        if (pthread_create(&callers[i], NULL, run_job, &jobs[i]))
            abort();
    for (int i = 0; i < count; i++)
        pthread_join(callers[i], NULL);
}

/* x (LARGEST, inputs) -> wanted (LARGEST, outputs), sample by sample. */
static void run_alone(const snn_plan *plan, const float *x, float *wanted)
{
    float one_x[WIDEST], one_y[WIDEST];
    const float *inputs[WIDEST];
    float *outputs[WIDEST];
    for (int64_t i = 0; i < plan->in_count; i++)
        inputs[i] = one_x + first_column(plan->ports_in, i);
    for (int64_t i = 0; i < plan->out_count; i++)
        outputs[i] = one_y + first_column(plan->ports_out, i);
    for (int64_t s = 0; s < LARGEST; s++) {
        memcpy(one_x, x + s * plan->inputs, (size_t)plan->inputs * sizeof *x);
        CHECK_OK(snn_plan_run_many(plan, inputs, 1, outputs));
        memcpy(wanted + s * plan->outputs, one_y, (size_t)plan->outputs * sizeof *one_y);
    }
}

static void run_plan(const random_model *m)
{
    static float x[LARGEST * WIDEST], wanted[LARGEST * WIDEST];
    const char *isa = random_isa();
    small_caches = 0;
    snn_plan *alone = make_random_plan(m, 1, isa);
    small_caches = chance(2); // steps run in bands, where they can
    snn_plan *plan = make_random_plan(m, 1 + chance(MOST_THREADS), isa);
    if (!alone || !plan)
        return;
    const int odd = chance(4) == 0; // samples with an infinity or NaN: exact.c runs those again
    for (int64_t i = 0; i < LARGEST * m->inputs; i++)
        x[i] = odd && chance(300) == 0 ? (chance(2) ? NAN : INFINITY) : chance_value();
    run_alone(alone, x, wanted);
    check_schedule(plan);
    tally *of_steps = &tallies[m->model->is_graph ? 2 : plan->step_count > 1];
    for (int i = 0; i < RUNS_A_PLAN; i++) {
        if (chance(12) == 0) {
            run_callers(plan, of_steps + KINDS, x, wanted);
            continue;
        }
        job j;
        make_job(&j, plan, of_steps, x, wanted);
        run_job(&j);
    }
    snn_plan_free(alone);
    snn_plan_free(plan);
}

int main(int argc, char **argv)
{
    const long runs = wanted_runs(argc, argv, USUAL_RUNS);
    while (count_tallies(tallies, TALLIES) < runs && check_failures == 0) {
        random_model m;
        if (chance(2))
            make_random_graph(&m);
        else
            make_random_model(&m);
        run_plan(&m);
        free_random_model(&m);
    }
    CHECK(print_tallies(tallies, TALLIES) == 0);
    return check_report("test_perturbed");
}
