/* Steps in bands: random chains of convolutions and pools give the bits that they give step by step, on one
 * thread and several, with what is added to them, with NaN, and for any size of the caches. test_band
 * [models] */
#include "base/cpu.h"
#include "plan/band.h"
#include "train_pattern.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 40000, MOST_WEIGHTS = 4096, BATCH = 3, LAYERS = 6, USUAL_MODELS = 100 };

/* In place of base/cache.c. */
static int64_t caches[2];
int64_t snn_cpu_cache_bytes(int level) { return caches[level == 3]; }

static int64_t below(int64_t most) { return (int64_t)(uniform() * (double)most); }
static float value(void) { return (float)(below(2001) - 1000) / 1000.0f; }

/* ---- models ---- */

/* The last value of a model that is being made: planes. */
typedef struct image {
    snn_model *model;
    int64_t value, channels, height, width;
} image;

static int64_t made(int64_t size, int64_t kernel, int64_t stride, int64_t pads, int64_t dilation)
{
    const int64_t room = size + pads - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

/* A layer with that window; 0 where it does not fit. */
static int add_window(image *at, const char *op, int64_t rows, const int64_t *n)
{
    static float weight[MOST_WEIGHTS], bias[64];
    const int is_mean = strcmp(op, "avg_pool2d") == 0, is_product = strcmp(op, "conv2d") == 0;
    const int64_t cols = at->channels * n[0] * n[1];
    const int64_t height = made(at->height, n[0], n[2], n[4] + n[6], is_mean ? 1 : n[8]);
    const int64_t width = made(at->width, n[1], n[3], n[5] + n[7], is_mean ? 1 : n[9]);
    if (!height || !width || rows * cols > MOST_WEIGHTS || rows * height * width > MOST)
        return 0;
    const int depthwise = is_product && rows == at->channels && below(2);
    for (int64_t i = 0; i < rows * cols; i++) {
        const int reads = !depthwise || i / cols == i % cols / (n[0] * n[1]);
        weight[i] = reads && (depthwise || below(3) == 0) ? value() : 0.0f;
    }
    for (int64_t i = 0; i < rows; i++)
        bias[i] = value();
    const snn_node_spec spec = {.op = op,
                                .operands = &at->value,
                                .operand_count = 1,
                                .integers = n,
                                .integer_count = is_mean ? 9 : 10,
                                .rows = is_product ? rows : 0,
                                .cols = is_product ? cols : 0,
                                .weight = is_product ? weight : NULL,
                                .bias = is_product ? bias : NULL};
    int64_t y;
    if (snn_model_add_node(at->model, &spec, &y) != SNN_OK)
        return 0;
    *at = (image){at->model, y, rows, height, width};
    return 1;
}

static void add_layer(image *at)
{
    static const char *const ops[] = {"conv2d", "conv2d", "conv2d", "conv2d", "max_pool2d", "avg_pool2d"};
    const char *op = ops[below(6)];
    const int is_product = strcmp(op, "conv2d") == 0, point = is_product && below(4) == 0;
    int64_t n[10] = {1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
    if (!point) {
        for (int i = 0; i < 2; i++) {
            n[i] = 1 + below(4);
            n[2 + i] = below(3) ? 1 : 1 + below(3);
            n[4 + i] = below(n[i]);
            n[6 + i] = below(n[i]);
            n[8 + i] = 1 + (below(4) == 0);
        }
    }
    if (strcmp(op, "avg_pool2d") == 0)
        n[8] = below(2);
    add_window(at, op, is_product ? (below(3) ? at->channels : 1 + below(16)) : at->channels, n);
}

/* A convolution that keeps the dims, and what it began with, or another of its value, added. */
static void add_block(image *at)
{
    const int64_t three[10] = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, point[10] = {1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
    image start = *at, side = *at;
    int64_t sum;
    if (below(2) && !add_window(&side, "conv2d", at->channels, point))
        return;
    if (!add_window(at, "conv2d", at->channels, below(2) ? three : point) ||
        !add_window(at, "conv2d", start.channels, below(2) ? three : point))
        return;
    const int64_t parts[2] = {below(2) ? at->value : side.value, 0};
    const int64_t both[2] = {parts[0], parts[0] == at->value ? side.value : at->value};
    CHECK_OK(snn_model_add_node(at->model,
                                &(snn_node_spec){.op = "add", .operands = both, .operand_count = 2}, &sum));
    at->value = sum;
}

static void add_relu(image *at)
{
    int64_t y;
    CHECK_OK(snn_model_add_node(
        at->model, &(snn_node_spec){.op = "relu", .operands = &at->value, .operand_count = 1}, &y));
    at->value = y;
}

static snn_model *random_model(void)
{
    image at = {.channels = 1 + below(6), .height = 20 + below(60), .width = 3 + below(6)};
    const int64_t dims[3] = {at.channels, at.height, at.width};
    CHECK_OK(snn_model_create_graph(&at.model));
    CHECK_OK(snn_model_add_input(at.model, "x", dims, 3, &at.value));
    for (int i = 0; i < LAYERS; i++) {
        if (below(4) == 0)
            add_block(&at);
        else
            add_layer(&at);
        if (below(2))
            add_relu(&at);
    }
    add_relu(&at);
    CHECK_OK(snn_model_add_output(at.model, "y", at.value));
    return at.model;
}

/* ---- plans ---- */

static snn_plan *plan_of(const snn_model *model, int threads, const char *isa, int64_t l2, int64_t l3)
{
    snn_plan *plan = NULL;
    caches[0] = l2;
    caches[1] = l3;
    CHECK_OK(snn_plan_create(model, &(snn_plan_options){.threads = threads, .isa = isa, .tune = SNN_TUNE_OFF},
                             &plan));
    return plan;
}

static int64_t count_bands(const snn_plan *plan)
{
    int64_t count = 0;
    for (int64_t i = 0; i < plan->step_count; i++)
        count += plan->steps[i].band != NULL;
    return count;
}

/* Returns how many bands were run. */
static int64_t try_model(const snn_model *model, const char *isa)
{
    static float x[BATCH * MOST], wanted[BATCH * MOST], y[BATCH * MOST];
    snn_plan *alone = plan_of(model, 1, isa, (int64_t)1 << 30, (int64_t)1 << 40);
    const int64_t inputs = snn_plan_inputs(alone), outputs = snn_plan_outputs(alone);
    int64_t bands = 0;
    CHECK(count_bands(alone) == 0);
    for (int64_t i = 0; i < BATCH * inputs; i++)
        x[i] = value();
    if (below(3) == 0)
        x[below(BATCH * inputs)] = below(2) ? NAN : INFINITY;
    CHECK_OK(snn_plan_run(alone, x, BATCH, wanted));
    for (int threads = 1; threads <= 3; threads++) {
        snn_plan *plan = plan_of(model, threads, isa, 200 + below(4000), 0);
        bands += count_bands(plan);
        CHECK(snn_plan_extent(plan).scratch_at <= snn_plan_extent(alone).scratch_at + 64 * 64 * 8);
        for (int64_t batch = 1; batch <= BATCH; batch += BATCH - 1) {
            memset(y, 0, sizeof y);
            CHECK_OK(snn_plan_run(plan, x, batch, y));
            CHECK(memcmp(y, wanted, (size_t)(batch * outputs) * sizeof *y) == 0);
        }
        double us[64];
        CHECK_OK(snn_plan_profile(plan, us, plan->step_count));
        for (int64_t i = 0; i < plan->step_count; i++)
            CHECK(us[i] > 0.0 && us[i] < 1e7);
        snn_plan_free(plan);
    }
    snn_plan_free(alone);
    return bands;
}

int main(int argc, char **argv)
{
    const int models = argc > 1 ? atoi(argv[1]) : USUAL_MODELS;
    int64_t bands = 0;
    for (int i = 0; i < models && check_failures == 0; i++) {
        snn_model *model = random_model();
        for (const snn_isa *const *isa = snn_isa_table(); *isa; isa++)
            if (snn_cpu_supports((*isa)->name))
                bands += try_model(model, (*isa)->name);
        snn_model_free(model);
    }
    printf("%lld bands in %d models\n", (long long)bands, models);
    CHECK(bands > models);
    return check_report("test_band");
}
