/* A model whose weights stay the caller's: read where they lie, never written, and not needed by its plans.
 */
#include "shaped_model.h"

#include <string.h>

enum { CHANNELS = 12, SIDE = 6, CLASSES = 5, BATCH = 19, FEATURES = CHANNELS * SIDE * SIDE };

/* Weights on the heap, so that a sanitizer sees who reads them too late. */
typedef struct weights {
    float *dense, *dense_bias, norm[CHANNELS];
    pattern conv, head;
} weights;

static weights make_weights(void)
{
    weights w = {.dense = snn_alloc(CHANNELS * 27, sizeof(float)),
                 .dense_bias = snn_alloc(CHANNELS, sizeof(float))};
    for (int i = 0; i < CHANNELS * 27; i++)
        w.dense[i] = (float)(uniform() - 0.5);
    for (int i = 0; i < CHANNELS; i++)
        w.norm[i] = w.dense_bias[i] = 0.5f + (float)i / 16;
    w.conv = make_pattern(CHANNELS, CHANNELS * 9, 0.8);
    w.head = make_pattern(CLASSES, FEATURES, 0.9);
    return w;
}

static void free_weights(weights *w)
{
    snn_free(w->dense);
    snn_free(w->dense_bias);
    shaped_free_pattern(&w->conv);
    shaped_free_pattern(&w->head);
}

/* A convolution into which a normalisation is folded, a sparse one and a sparse layer. */
static snn_model *build(const weights *w, int borrow)
{
    snn_model *model = NULL;
    int64_t x, norm[4], v[6];
    CHECK_OK(snn_model_create_graph(&model));
    if (borrow)
        CHECK_OK(snn_model_borrow(model));
    CHECK_OK(snn_model_add_input(model, "x", (int64_t[]){3, SIDE, SIDE}, 3, &x));
    for (int i = 0; i < 4; i++)
        CHECK_OK(snn_model_add_constant(model, (int64_t[]){CHANNELS}, 1, w->norm, &norm[i]));
#define ADD(at, ...) CHECK_OK(snn_model_add_node(model, &(snn_node_spec){__VA_ARGS__}, &v[at]))
    ADD(0, .op = "conv2d", SHAPED_OF(x), SHAPED_NUMBERS(3, 3, 1, 1, 1, 1, 1, 1, 1, 1), .rows = CHANNELS,
        .cols = 27, .weight = w->dense, .bias = w->dense_bias);
    ADD(1, .op = "batch_norm", SHAPED_OF(v[0], norm[0], norm[1], norm[2], norm[3]),
        .attributes = (float[]){1e-3f, 0.1f}, .attribute_count = 2);
    ADD(2, .op = "relu", SHAPED_OF(v[1]));
    ADD(3, .op = "conv2d", SHAPED_OF(v[2]), SHAPED_NUMBERS(3, 3, 1, 1, 1, 1, 1, 1, 1, 1),
        SHAPED_WEIGHTS(w->conv));
    ADD(4, .op = "reshape", SHAPED_OF(v[3]), SHAPED_NUMBERS(FEATURES));
    ADD(5, .op = "linear", SHAPED_OF(v[4]), SHAPED_WEIGHTS(w->head));
#undef ADD
    CHECK_OK(snn_model_add_output(model, "y", v[5]));
    return model;
}

/* Whether two models are saved as the same bytes. */
static int same_file(const snn_model *a, const snn_model *b)
{
    static char bytes[2][1 << 16];
    size_t size[2] = {0};
    CHECK_OK(snn_model_save_memory(a, bytes[0], sizeof *bytes, &size[0]));
    CHECK_OK(snn_model_save_memory(b, bytes[1], sizeof *bytes, &size[1]));
    return size[0] == size[1] && size[0] <= sizeof *bytes && !memcmp(bytes[0], bytes[1], size[0]);
}

static snn_plan *make_plan(const snn_model *model, snn_tune tune)
{
    const snn_plan_options options = {.threads = 2, .tune = tune};
    snn_plan *plan = NULL;
    CHECK_OK(snn_plan_create(model, &options, &plan));
    return plan;
}

static void test_graph(snn_tune tune)
{
    static float x[BATCH * 3 * SIDE * SIDE], wanted[BATCH * CLASSES], y[BATCH * CLASSES];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)(uniform() - 0.5);
    x[7] = NAN; // its sample runs again by the weights that are not 0
    weights w = make_weights();
    snn_model *copied = build(&w, 0), *borrowed = build(&w, 1);
    snn_node_info info;
    CHECK_OK(snn_model_node(borrowed, 3, &info));
    CHECK(info.data == w.conv.data && info.indices == w.conv.indices && info.bias == w.conv.bias);
    CHECK_OK(snn_model_node(copied, 3, &info));
    CHECK(info.data != w.conv.data);
    CHECK(same_file(copied, borrowed));
    snn_plan *plan = make_plan(copied, SNN_TUNE_OFF);
    CHECK_OK(snn_plan_run(plan, x, BATCH, wanted));
    snn_plan_free(plan);
    plan = make_plan(borrowed, tune);
    CHECK(same_file(copied, borrowed)); // nothing was folded into the caller's arrays
    snn_model_free(borrowed);
    free_weights(&w);
    for (int64_t batch = 1; batch <= BATCH; batch += 9) {
        CHECK_OK(snn_plan_run(plan, x, batch, y));
        CHECK(memcmp(y, wanted, (size_t)batch * CLASSES * sizeof *y) == 0);
    }
    snn_plan_free(plan);
    snn_model_free(copied);
}

static void test_chain(void)
{
    snn_model *model = NULL;
    snn_node_info info;
    weights w = make_weights();
    CHECK_OK(snn_model_create(27, &model));
    CHECK_OK(snn_model_borrow(model));
    CHECK_OK(snn_model_add_dense(model, CHANNELS, 27, w.dense, NULL));
    CHECK_OK(snn_model_node(model, 0, &info));
    CHECK(info.weight == w.dense && info.bias == NULL);
    w.head.indices[0] = FEATURES; // what is borrowed is checked as well
    CHECK_STATUS(
        snn_model_add_csr(model, CLASSES, CHANNELS, w.head.indptr, w.head.indices, w.head.data, NULL),
        SNN_ERROR_CSR);
    CHECK(snn_model_node_count(model) == 1);
    CHECK_STATUS(snn_model_borrow(NULL), SNN_ERROR_ARGUMENT);
    snn_model_free(model);
    free_weights(&w);
}

int main(void)
{
    test_graph(SNN_TUNE_OFF);
    test_graph(SNN_TUNE_MEASURE);
    test_chain();
    return check_report("test_borrow");
}
