/* Whole plans: right by a double-precision forward pass, and the same bits for any batch, number of threads,
 * tuning, order of the arrays and place of a sample in its batch. */
#include "check.h"

#include "base/cpu.h"
#include "kernels/kernel.h"
#include "base/memory.h"

#include <float.h>
#include <math.h>
#include <string.h>

static uint64_t state = 1181783497276652981u;
static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0;
}

/* Appends a random layer, CSR or dense, some rows empty. */
static void add_layer(snn_model *model, int64_t rows, int64_t cols, double sparsity, int dense, int with_bias)
{
    float *weight = snn_alloc((size_t)(rows * cols), sizeof *weight),
          *bias = snn_alloc((size_t)rows, sizeof *bias);
    int64_t *indptr = snn_alloc((size_t)rows + 1, sizeof *indptr);
    int32_t *indices = snn_alloc((size_t)(rows * cols), sizeof *indices);
    float *data = snn_alloc((size_t)(rows * cols), sizeof *data);
    int64_t at = 0;
    for (int64_t r = 0; r < rows; r++) {
        bias[r] = (float)(uniform() - 0.5);
        for (int64_t c = 0; c < cols; c++) {
            if (uniform() < sparsity || (rows > 4 && r % 11 == 5))
                continue;
            indices[at] = (int32_t)c;
            weight[r * cols + c] = data[at++] = (float)(uniform() - 0.5);
        }
        indptr[r + 1] = at;
    }
    if (dense)
        CHECK_OK(snn_model_add_dense(model, rows, cols, weight, with_bias ? bias : NULL));
    else
        CHECK_OK(snn_model_add_csr(model, rows, cols, indptr, indices, data, with_bias ? bias : NULL));
    snn_free(weight);
    snn_free(bias);
    snn_free(indptr);
    snn_free(indices);
    snn_free(data);
}

/* 100 -> 130 -> 130 -> 37 -> 5 with every kind of node; sparse, denser than break-even, and dense layers. */
static snn_model *make_model(double sparsity)
{
    snn_model *model = NULL;
    CHECK_OK(snn_model_create(100, &model));
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_CLIP, -0.75f, 0.75f));
    add_layer(model, 130, 100, sparsity, 0, 1);
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_RELU, 0, 0));
    add_layer(model, 130, 130, 0.4, 0, 0);
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_GELU, 0, 0));
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_TANH, 0, 0));
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_ELU, 0.75f, 0));
    add_layer(model, 37, 130, sparsity, 0, 1);
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_SIGMOID, 0, 0));
    add_layer(model, 5, 37, 0.0, 1, 1);
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_SOFTMAX, 0, 0));
    return model;
}

/* The forward pass of one sample in double, with a bound on the error of a float pass beside each value. */
static void reference(const snn_model *model, const float *x, double *y, double *bound)
{
    double in[256], in_bound[256];
    for (int64_t i = 0; i < snn_model_inputs(model); i++)
        y[i] = x[i], bound[i] = 0;
    for (int64_t index = 0; index < snn_model_node_count(model); index++) {
        snn_node_info node;
        CHECK_OK(snn_model_node(model, index, &node));
        memcpy(in, y, sizeof in);
        memcpy(in_bound, bound, sizeof in_bound);
        double sum = 0, worst = 0;
        for (int64_t r = 0; r < node.outputs && node.type == SNN_NODE_SOFTMAX; r++) {
            sum += exp(in[r]);
            worst = fmax(worst, in_bound[r]);
        }
        for (int64_t r = 0; r < node.outputs; r++) {
            double v = in[r], b = in_bound[r];
            switch (node.type) {
            case SNN_NODE_LINEAR: {
                double size = v = node.bias ? node.bias[r] : 0;
                int64_t terms = node.inputs + 2;
                size = fabs(size);
                b = 0;
                for (int64_t p = node.sparse ? node.indptr[r] : 0;
                     p < (node.sparse ? node.indptr[r + 1] : node.inputs); p++) {
                    const int64_t k = node.sparse ? node.indices[p] : p;
                    const double w = node.sparse ? node.data[p] : node.weight[r * node.inputs + k];
                    v += w * in[k];
                    size += fabs(w) * (fabs(in[k]) + in_bound[k]);
                    b += fabs(w) * in_bound[k];
                }
                b += (double)terms * FLT_EPSILON * size;
                break;
            }
            case SNN_NODE_RELU: v = fmax(v, 0); break;
            case SNN_NODE_CLIP: v = fmin(fmax(v, node.low), node.high); break;
            case SNN_NODE_TANH: v = tanh(v), b += 4 * FLT_EPSILON; break;
            case SNN_NODE_SIGMOID: v = 1 / (1 + exp(-v)), b += 4 * FLT_EPSILON; break;
            case SNN_NODE_GELU:
                v = 0.5 * v * (1 + erf(v / sqrt(2))), b = 1.13 * b + 8 * FLT_EPSILON * fmax(fabs(v), 1);
                break;
            case SNN_NODE_ELU: v = v > 0 ? v : node.low * expm1(v), b += 4 * FLT_EPSILON; break;
            case SNN_NODE_SOFTMAX: v = exp(v) / sum, b = v * (2.5 * worst + 40 * FLT_EPSILON); break;
            }
            y[r] = v;
            bound[r] = b;
        }
    }
}

enum { most = 300, inputs = 100, outputs = 5 };

static void test_model(const char *isa, double sparsity)
{
    static const int64_t batches[] = {0,  1,  2,  3,  4,  5,  7,   8,   15,  16,
                                      17, 31, 33, 63, 64, 65, 100, 129, 255, most};
    static const int64_t only_one[] = {1};
    static float x[most * inputs], first[most * outputs], y[most * outputs + 1];
    snn_model *model = make_model(sparsity);
    for (int i = 0; i < most * inputs; i++)
        x[i] = (float)(2 * uniform() - 1);
    int have_first = 0;
    for (int threads = 1; threads <= 5; threads++) {
        for (int tune = SNN_TUNE_MEASURE; tune <= SNN_TUNE_OFF; tune++) {
            snn_plan_options options = {.threads = threads, .tune = (snn_tune)tune, .isa = isa};
            if (threads == 4)
                options.batch_sizes = only_one, options.batch_size_count = 1;
            snn_plan *plan = NULL;
            if (!CHECK_OK(snn_plan_create(model, &options, &plan)))
                return;
            CHECK(!strcmp(snn_plan_isa(plan), isa) && snn_plan_inputs(plan) == inputs &&
                  snn_plan_outputs(plan) == outputs);
            if (!have_first) {
                for (int s = 0; s < most; s++)
                    CHECK_OK(snn_plan_run(plan, x + s * inputs, 1, first + s * outputs));
                for (int s = 0; s < most; s++) {
                    double wanted[256], bound[256];
                    reference(model, x + s * inputs, wanted, bound);
                    for (int o = 0; o < outputs; o++)
                        CHECK(fabs(first[s * outputs + o] - wanted[o]) <= bound[o]);
                }
                have_first = 1;
            }
            for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
                const int64_t batch = batches[b], begin = most - batch;
                for (int i = 0; i <= most * outputs; i++)
                    y[i] = -7;
                CHECK_OK(snn_plan_run(plan, x + begin * inputs, batch, y));
                if (!CHECK(!memcmp(y, first + begin * outputs, (size_t)(batch * outputs) * sizeof *y)))
                    printf("%s threads %d tune %d batch %lld: other bits than one sample at a time\n", isa,
                           threads, tune, (long long)batch);
                CHECK(y[batch * outputs] == -7); // nothing is written past the end
            }
            snn_plan_free(plan);
        }
    }
    snn_model_free(model);
}

/* from (rows, cols) -> to (cols, rows). */
static void turn(const float *from, int64_t rows, int64_t cols, float *to)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            to[c * rows + r] = from[r * cols + c];
}

/* One batch in all four pairs of orders, x on a cache line and beside it: the bits of wanted (batch,
 * outputs), which is sample by sample. */
static void compare_orders(const snn_plan *plan, const float *x, int64_t batch, const float *wanted)
{
    const int64_t in = snn_plan_inputs(plan), out = snn_plan_outputs(plan);
    float *got = snn_alloc((size_t)(batch * out), sizeof *got);
    for (int way = 0; way < 8; way++) {
        const snn_order x_order = way & 1 ? SNN_FEATURES_FIRST : SNN_SAMPLES_FIRST;
        const snn_order y_order = way & 2 ? SNN_FEATURES_FIRST : SNN_SAMPLES_FIRST;
        // Arrays of exactly their size, so that a sanitizer sees what goes past the end.
        const size_t beside = way & 4 ? 1 : 0;
        float *given = snn_alloc((size_t)(batch * in) + beside, sizeof *given);
        float *y = snn_alloc((size_t)(batch * out) + beside, sizeof *y);
        if (x_order == SNN_FEATURES_FIRST)
            turn(x, batch, in, given + beside);
        else
            memcpy(given + beside, x, (size_t)(batch * in) * sizeof *x);
        CHECK_OK(snn_plan_run_ordered(plan, given + beside, x_order, batch, y + beside, y_order));
        if (y_order == SNN_FEATURES_FIRST)
            turn(y + beside, out, batch, got);
        else
            memcpy(got, y + beside, (size_t)(batch * out) * sizeof *y);
        if (!CHECK(!memcmp(got, wanted, (size_t)(batch * out) * sizeof *got)))
            printf("%s threads %d batch %lld, x_order %d, y_order %d: other bits than one sample at a time\n",
                   snn_plan_isa(plan), snn_plan_threads(plan), (long long)batch, (int)x_order, (int)y_order);
        snn_free(given);
        snn_free(y);
    }
    snn_free(got);
}

/* rows 0: the network of many layers; else one layer of so many rows. */
static void test_orders(const char *isa, int64_t rows)
{
    enum { largest = 70, columns = 100 };
    static float x[largest * columns], wanted[largest * columns];
    snn_model *model = NULL;
    if (rows) {
        CHECK_OK(snn_model_create(columns, &model));
        add_layer(model, rows, columns, 0.8, 0, 1);
    } else {
        model = make_model(0.9);
    }
    for (int i = 0; i < largest * columns; i++)
        x[i] = (float)(2 * uniform() - 1);
    for (int threads = 1; threads <= 5; threads++) {
        const snn_plan_options options = {.threads = threads, .tune = (snn_tune)(threads % 3), .isa = isa};
        snn_plan *plan = NULL;
        CHECK_OK(snn_plan_create(model, &options, &plan));
        for (int64_t s = 0; s < largest && threads == 1; s++)
            CHECK_OK(snn_plan_run(plan, x + s * columns, 1, wanted + s * snn_plan_outputs(plan)));
        for (int64_t batch = 1; batch <= largest; batch++)
            compare_orders(plan, x, batch, wanted);
        snn_plan_free(plan);
    }
    snn_model_free(model);
}

/* One neuron, one input, nothing kept: the smallest and the emptiest plans. */
static void test_corners(const char *isa)
{
    static const int64_t shapes[][2] = {{1, 1}, {1, 200}, {200, 1}, {3, 5}};
    for (size_t i = 0; i < 4; i++) {
        for (int pruned = 0; pruned < 2; pruned++) {
            snn_model *model = NULL;
            snn_plan *plan = NULL;
            const snn_plan_options options = {.threads = 3, .isa = isa};
            float x[40 * 200], y[40 * 200];
            CHECK_OK(snn_model_create(shapes[i][1], &model));
            add_layer(model, shapes[i][0], shapes[i][1], pruned ? 2.0 : 0.0, 0, 1);
            snn_node_info node;
            CHECK_OK(snn_model_node(model, 0, &node));
            CHECK(node.nnz == (pruned ? 0 : node.nnz));
            CHECK_OK(snn_plan_create(model, &options, &plan));
            for (int k = 0; k < 40 * 200; k++)
                x[k] = (float)uniform();
            CHECK_OK(snn_plan_run(plan, x, 40, y));
            for (int64_t s = 0; s < 40; s++) {
                double wanted[256] = {0}, bound[256] = {0};
                reference(model, x + s * shapes[i][1], wanted, bound);
                for (int64_t r = 0; r < shapes[i][0]; r++)
                    CHECK(fabs(y[s * shapes[i][0] + r] - wanted[r]) <= bound[r]);
            }
            snn_plan_free(plan);
            snn_model_free(model);
        }
    }
}

static void test_errors(void)
{
    snn_model *model = NULL;
    snn_plan *plan = NULL;
    float x[4] = {0}, y[4];
    const int64_t bad_batch[] = {1, 0};
    CHECK_OK(snn_model_create(2, &model));
    CHECK_STATUS(snn_plan_create(model, NULL, &plan), SNN_ERROR_ARGUMENT); // no node
    add_layer(model, 2, 2, 0.0, 1, 1);
    CHECK_STATUS(snn_plan_create(NULL, NULL, &plan), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_create(model, NULL, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_create(model, &(snn_plan_options){.threads = -1}, &plan), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_create(model, &(snn_plan_options){.tune = (snn_tune)9}, &plan), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_create(model, &(snn_plan_options){.isa = "mmx"}, &plan), SNN_ERROR_ISA);
    CHECK_STATUS(
        snn_plan_create(model, &(snn_plan_options){.batch_sizes = bad_batch, .batch_size_count = 2}, &plan),
        SNN_ERROR_ARGUMENT);
    CHECK(plan == NULL);
    CHECK_OK(snn_plan_create(model, NULL, &plan));
    CHECK_STATUS(snn_plan_run(plan, x, -1, y), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_run(plan, NULL, 1, y), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_run(plan, x, 1, NULL), SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_run(NULL, x, 1, y), SNN_ERROR_ARGUMENT);
    CHECK_OK(snn_plan_run(plan, NULL, 0, NULL));
    CHECK_STATUS(snn_plan_run_ordered(plan, x, (snn_order)2, 1, y, SNN_SAMPLES_FIRST), SNN_ERROR_ARGUMENT);
    CHECK(
        !strcmp(snn_last_error(), "x_order must be SNN_SAMPLES_FIRST (0) or SNN_FEATURES_FIRST (1), got 2"));
    CHECK_STATUS(snn_plan_run_ordered(plan, x, SNN_SAMPLES_FIRST, 0, y, (snn_order)-1), SNN_ERROR_ARGUMENT);
    CHECK(!strncmp(snn_last_error(), "y_order must be", 15));
    CHECK_STATUS(snn_plan_run_ordered(NULL, x, SNN_FEATURES_FIRST, 1, y, SNN_FEATURES_FIRST),
                 SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_run_ordered(plan, x, SNN_FEATURES_FIRST, 1, NULL, SNN_FEATURES_FIRST),
                 SNN_ERROR_ARGUMENT);
    CHECK_STATUS(snn_plan_run_ordered(plan, x, SNN_FEATURES_FIRST, -1, y, SNN_FEATURES_FIRST),
                 SNN_ERROR_ARGUMENT);
    CHECK_OK(snn_plan_run_ordered(plan, NULL, SNN_FEATURES_FIRST, 0, NULL, SNN_FEATURES_FIRST));
    size_t needed = 0, again = 0;
    char small[16], *text;
    CHECK_OK(snn_plan_report(plan, NULL, 0, &needed));
    CHECK_OK(snn_plan_report(plan, small, sizeof small, &again));
    CHECK(strlen(small) == sizeof small - 1);
    text = snn_alloc(needed + 64, 1);
    CHECK_OK(snn_plan_report(plan, text, needed + 64, &again));
    CHECK(strlen(text) + 1 == again && text[again - 2] == '}');
    snn_free(text);
    snn_plan_free(plan);
    snn_plan_free(NULL);
    snn_model_free(model);
}

int main(void)
{
    for (int i = 0; snn_isa_table()[i]; i++) {
        const char *isa = snn_isa_table()[i]->name;
        if (!snn_cpu_supports(isa)) {
            printf("skipped: %s, which this processor does not support\n", isa);
            continue;
        }
        test_model(isa, 0.9);
        test_model(isa, 1.0);
        test_orders(isa, 0);
        test_orders(isa, 37);
        test_orders(isa, 3);
        test_corners(isa);
    }
    test_errors();
    return check_report("test_plan");
}
