/* A weight that is 0, stored or not, reads nothing: not even an infinity or a NaN. Plans against a forward
 * pass in double that leaves such weights out; and the same bits in every batch, order, tuning and number of
 * threads. */
#include "check.h"

#include "nan_model.h"

#include "base/cpu.h"

#include <string.h>

enum { SAMPLES = 70 };
static float x[SAMPLES * WIDEST], first[SAMPLES * WIDEST];

/* Two samples of three hold a NaN or an infinity, at a feature that some weights read or none. */
static void fill_x(void)
{
    static const float special[4] = {NAN, INFINITY, -INFINITY, NAN};
    for (int s = 0; s < SAMPLES; s++) {
        for (int k = 0; k < WIDEST; k++)
            x[s * WIDEST + k] = (float)(2 * uniform() - 1);
        for (int i = 0; i < s % 3; i++)
            x[s * WIDEST + (7 * s + 30 * i) % WIDEST] = special[(s + i) % 4];
    }
}

/* Sample by sample, against double; returns whether a sample has both a NaN and a number among its outputs.
 */
static int compare_double(const snn_model *model, const snn_plan *plan)
{
    const int64_t outputs = snn_plan_outputs(plan);
    const snn_isa *isa = NULL;
    int mixed = 0;
    CHECK_OK(snn_isa_find(snn_plan_isa(plan), &isa));
    for (int s = 0; s < SAMPLES; s++) {
        double wanted[WIDEST];
        int nans = 0;
        CHECK_OK(snn_plan_run(plan, x + s * WIDEST, 1, first + s * outputs));
        run_in_double(isa, model, x + s * WIDEST, wanted);
        for (int64_t o = 0; o < outputs; o++) {
            const double got = first[s * outputs + o];
            nans += isnan(got);
            // three layers of at most 30 terms below 1, each rounded a few times
            const int same = isfinite(wanted[o])
                                 ? fabs(got - wanted[o]) <= 3 * 30 * 4 * 6e-8
                                 : isnan(got) == isnan(wanted[o]) && (isnan(got) || got == wanted[o]);
            if (!CHECK(same))
                printf("%s: sample %d, output %lld: %g, wanted %g\n", snn_plan_isa(plan), s, (long long)o,
                       got, wanted[o]);
        }
        mixed |= nans > 0 && nans < outputs;
    }
    return mixed;
}

static void turn(const float *from, int64_t rows, int64_t cols, float *to)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            to[c * rows + r] = from[r * cols + c];
}

/* Batches of every kind in both orders: the bits of first. */
static void compare_batches(const snn_plan *plan)
{
    static const int64_t batches[] = {1, 2, 3, 4, 5, 8, 16, 17, 33, 64, SAMPLES};
    static float given[SAMPLES * WIDEST], made[SAMPLES * WIDEST], y[SAMPLES * WIDEST];
    const int64_t outputs = snn_plan_outputs(plan);
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        const int64_t batch = batches[b], begin = SAMPLES - batch;
        const float *wanted = first + begin * outputs;
        const size_t bytes = (size_t)(batch * outputs) * sizeof *y;
        CHECK_OK(snn_plan_run(plan, x + begin * WIDEST, batch, made));
        turn(x + begin * WIDEST, batch, WIDEST, given);
        CHECK_OK(snn_plan_run_ordered(plan, given, SNN_FEATURES_FIRST, batch, y, SNN_FEATURES_FIRST));
        turn(y, outputs, batch, given);
        if (!CHECK(!memcmp(made, wanted, bytes)) || !CHECK(!memcmp(given, wanted, bytes)))
            printf("%s, %d threads, batch %lld: other bits than one sample at a time\n", snn_plan_isa(plan),
                   snn_plan_threads(plan), (long long)batch);
    }
}

/* The model at every number of threads from 1 to most, tuned in each way from tune on. */
static void test_model(const snn_model *model, const char *isa, int most, snn_tune tune)
{
    int compared = 0;
    for (int threads = 1; threads <= most; threads++) {
        for (int way = (int)tune; way <= SNN_TUNE_OFF; way++) {
            const snn_plan_options options = {.threads = threads, .tune = (snn_tune)way, .isa = isa};
            snn_plan *plan = NULL;
            if (!CHECK_OK(snn_plan_create(model, &options, &plan)))
                return;
            if (!compared)
                CHECK(compare_double(model, plan) || !keeps_features_apart(model));
            compared = 1;
            compare_batches(plan);
            snn_plan_free(plan);
        }
    }
}

int main(void)
{
    fill_x();
    for (int i = 0; snn_isa_table()[i]; i++) {
        const char *isa = snn_isa_table()[i]->name;
        if (!snn_cpu_supports(isa)) {
            printf("skipped: %s, which this processor does not support\n", isa);
            continue;
        }
        for (int op = 0; op < SNN_OP_COUNT; op++) {
            if (snn_op_of(op)->kind == SNN_KIND_MATRIX || snn_op_of(op)->is_graph)
                continue;
            for (int shape = 0; shape < SHAPES; shape++) {
                snn_model *model = make_model((model_shape)shape, op);
                const int thorough = op == SNN_OP_RELU && shape != ONE_CSR && shape != OP_FIRST;
                test_model(model, isa, thorough ? 4 : 2, thorough ? SNN_TUNE_MEASURE : SNN_TUNE_OFF);
                snn_model_free(model);
            }
        }
    }
    return check_report("test_nan");
}
