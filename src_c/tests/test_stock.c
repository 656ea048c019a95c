/* Weights are in a plan once, as packings: CSR comes back out of every packing, sums by weights that are not
 * 0 alone have the bits of CSR by any packing, and a plan of sparse layers over tokens, of any number or of
 * so many, takes few bytes a weight. */
#include "counting_memory.h"
#include "train_pattern.h"

#include "pack/pack.h"

#include <string.h>

static snn_csr view(const pattern *p) { return (snn_csr){p->rows, p->cols, p->indptr, p->indices, p->data}; }

static void free_pattern(pattern *p)
{
    snn_free(p->indptr);
    snn_free(p->indices);
    snn_free(p->data);
    snn_free(p->bias);
}

/* ---- packings ---- */

static int is_same(const snn_csr *got, const pattern *wanted)
{
    const size_t nnz = (size_t)wanted->indptr[wanted->rows];
    compared += (int64_t)nnz;
    return !memcmp(got->indptr, wanted->indptr, ((size_t)wanted->rows + 1) * sizeof *got->indptr) &&
           !memcmp(got->indices, wanted->indices, nnz * sizeof *got->indices) &&
           !memcmp(got->data, wanted->data, nnz * sizeof *got->data);
}

/* Sums of a tile of one vector, in which one place is infinite: rows without a weight there stay finite. */
static void check_exact(const snn_isa *isa, const snn_packing *packing, const pattern *p)
{
    const int64_t lanes = isa->lanes;
    float *x = snn_alloc((size_t)(p->cols * lanes), sizeof *x);
    float *y = snn_alloc((size_t)((p->rows + packing->share_count) * lanes), sizeof *y);
    float *bias = snn_alloc((size_t)(p->rows + packing->share_count), sizeof *bias);
    memcpy(bias, p->bias, (size_t)p->rows * sizeof *bias);
    for (int64_t i = 0; i < p->cols * lanes; i++)
        x[i] = i == p->cols / 2 * lanes ? INFINITY : (float)(uniform() - 0.5);
    for (int s = 0; s < packing->share_count; s++)
        isa->exact(packing->kernel, snn_share(packing, s), x, y, bias, (int)lanes);
    for (int64_t r = 0; r < p->rows; r++) {
        float sums[64];
        for (int64_t l = 0; l < lanes; l++)
            sums[l] = p->bias[r];
        for (int64_t e = p->indptr[r]; e < p->indptr[r + 1]; e++)
            isa->scaled_add(p->data[e], x + p->indices[e] * lanes, sums, lanes);
        CHECK(!memcmp(sums, y + r * lanes, (size_t)lanes * sizeof *sums));
    }
    snn_free(x);
    snn_free(y);
    snn_free(bias);
}

static void test_packings(const snn_isa *isa)
{
    static const int64_t shapes[][2] = {{1, 1}, {3, 70}, {37, 300}, {64, 129}, {17, 513}};
    static const double sparsities[] = {-1, 0.5, 0.9};
    static const int64_t blocks[] = {64, 100, 256};
    for (int i = 0; i < 15; i++) {
        pattern p = make_pattern(shapes[i % 5][0], shapes[i % 5][1], sparsities[i / 5]);
        const snn_csr csr = view(&p);
        int64_t bounds[4];
        snn_split_rows(&csr, 3, bounds);
        for (int k = 0; k < isa->kernel_count; k++) {
            snn_csr got;
            snn_packing *packing = snn_pack(&csr, isa, &isa->kernels[k], blocks[(i + k) % 3], 3, bounds);
            CHECK(packing && snn_unpack(packing, isa->lanes, p.rows, p.cols, &got) && is_same(&got, &p));
            check_exact(isa, packing, &p);
            snn_free((void *)got.indptr);
            snn_free((void *)got.indices);
            snn_free((void *)got.data);
            snn_packing_free(packing);
        }
        free_pattern(&p);
    }
}

/* ---- plans ---- */

enum { LAYERS = 4, NARROW = 256, WIDE = 512, SIZES = 4, MOST = 130 };
static const int64_t tokens[SIZES] = {7, 128, 1, MOST};
static float x[2 * NARROW * MOST], wanted[SIZES][2 * NARROW * MOST], y[2 * NARROW * MOST];

/* Linear layers over tokens, wide and narrow in turn; of any number of tokens: -1. */
static snn_model *make_model(const pattern *layers, int64_t count)
{
    snn_model *model = NULL;
    int64_t value;
    CHECK_OK(snn_model_create_graph(&model));
    CHECK_OK(snn_model_add_input(model, "x", (int64_t[]){NARROW, 1, count}, 3, &value));
    for (int i = 0; i < LAYERS; i++) {
        const snn_node_spec spec = {.op = "conv2d",
                                    .operands = &value,
                                    .operand_count = 1,
                                    .integers = (int64_t[]){1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
                                    .integer_count = 10,
                                    .rows = layers[i].rows,
                                    .cols = layers[i].cols,
                                    .indptr = layers[i].indptr,
                                    .indices = layers[i].indices,
                                    .data = layers[i].data,
                                    .bias = layers[i].bias};
        int64_t made;
        CHECK_OK(snn_model_add_node(model, &spec, &made));
        value = made;
    }
    CHECK_OK(snn_model_add_output(model, "y", value));
    return model;
}

static snn_status run(const snn_plan *plan, int64_t count, float *to)
{
    const int64_t dims[] = {NARROW, 1, count};
    const int64_t *const all[] = {dims};
    const float *const from[] = {x};
    float *const out[] = {to};
    return snn_plan_run_shaped(plan, from, all, 2, out);
}

static snn_plan *make_plan(const pattern *layers, int64_t count, int kept)
{
    const snn_plan_options options = {.threads = 2, .tune = SNN_TUNE_OFF, .kept_shapes = kept};
    snn_plan *plan = NULL;
    snn_model *model = make_model(layers, count);
    CHECK_OK(snn_plan_create(model, &options, &plan));
    snn_model_free(model);
    return plan;
}

/* A plan of tokens, whatever shapes it met: less than 10 bytes a weight, all told but for the workspace,
 * whose values are no more than those of a few layers on two threads. */
static void check_bytes(size_t before, int64_t nnz)
{
    const size_t values = 2 * 3 * (size_t)(NARROW + WIDE) * 64 * sizeof(float);
    const size_t held = memory_held - before;
    if (held >= (size_t)(10 * nnz) + values)
        printf("%zu bytes for %lld weights and %zu of values\n", held, (long long)nnz, values);
    CHECK(held < (size_t)(10 * nnz) + values);
}

static void check_model(const snn_plan *plan, const pattern *layers)
{
    snn_model *model = NULL;
    CHECK_OK(snn_plan_model(plan, &model));
    for (int i = 0; i < LAYERS; i++) {
        snn_node_info info;
        CHECK_OK(snn_model_node(model, i, &info));
        const snn_csr got = {layers[i].rows, layers[i].cols, info.indptr, info.indices, info.data};
        CHECK(info.sparse && is_same(&got, &layers[i]));
    }
    snn_model_free(model);
}

static void test_plans(const snn_isa *isa)
{
    (void)isa;
    pattern layers[LAYERS];
    int64_t nnz = 0;
    for (int i = 0; i < LAYERS; i++) {
        layers[i] = make_pattern(i % 2 ? NARROW : WIDE, i % 2 ? WIDE : NARROW, 0.9);
        nnz += layers[i].indptr[layers[i].rows];
    }
    for (int i = 0; i < 2 * NARROW * MOST; i++)
        x[i] = (float)(uniform() - 0.5);
    const size_t before = memory_held;
    for (int s = 0; s < SIZES; s++) {
        snn_plan *plan = make_plan(layers, tokens[s], 0);
        CHECK_OK(run(plan, tokens[s], wanted[s]));
        if (tokens[s] <= 64)
            check_bytes(before, nnz);
        check_model(plan, layers);
        snn_plan_free(plan);
    }
    snn_plan *plan = make_plan(layers, -1, 1);
    check_model(plan, layers); // which has met no shape
    check_bytes(before, nnz);
    for (int i = 0; i < 3 * SIZES; i++, compared++) {
        const int s = i * 3 % SIZES;
        CHECK_OK(run(plan, tokens[s], y));
        CHECK(!memcmp(y, wanted[s], 2 * NARROW * (size_t)tokens[s] * sizeof *y));
        if (i == 0)
            check_bytes(before, nnz);
        check_model(plan, layers);
    }
    x[3] = NAN; // the rows of CSR are read of packings
    CHECK_OK(run(plan, 7, y));
    CHECK(isnan(y[3]) && !isnan(y[2]) &&
          !memcmp(y + 7 * NARROW, wanted[0] + 7 * NARROW, 7 * NARROW * sizeof *y));
    snn_plan_free(plan);
    CHECK(memory_held == before);
    for (int i = 0; i < LAYERS; i++)
        free_pattern(&layers[i]);
}

int main(void)
{
    on_every_isa(test_packings);
    on_every_isa(test_plans);
    return check_report("test_stock");
}
