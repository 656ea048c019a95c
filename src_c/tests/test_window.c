/* Convolutions and pools: random ones against plain loops in double, on every kernel set, with one thread and
 * several; and what is refused. */
#define _XOPEN_SOURCE 700
#include "base/memory.h"
#include "train_pattern.h"

#include <math.h>
#include <string.h>

enum { NUMBERS = 10, MOST = 4096 };

/* As the ten whole numbers have them. */
typedef struct window {
    int64_t kernel[2], stride[2], before[2], behind[2], dilation[2];
} window;

typedef struct problem {
    int64_t channels, size[2], rows, made[2];
    window w;
    float x[MOST], weight[MOST], bias[64], y[MOST];
} problem;

static int64_t below(int64_t most) { return (int64_t)(uniform() * (double)most); }

static float value(void) { return (float)(below(2001) - 1000) / 250.0f; }

/* 0 where the window does not fit, or is too large for the arrays. */
static int make_problem(problem *p)
{
    p->channels = 1 + below(4);
    p->rows = 1 + below(20);
    for (int i = 0; i < 2; i++) {
        p->size[i] = 1 + below(14);
        p->w.kernel[i] = 1 + below(4);
        p->w.stride[i] = 1 + below(3);
        p->w.before[i] = below(3);
        p->w.behind[i] = below(3);
        p->w.dilation[i] = 1 + below(2);
        const int64_t room =
            p->size[i] + p->w.before[i] + p->w.behind[i] - p->w.dilation[i] * (p->w.kernel[i] - 1) - 1;
        if (room < 0)
            return 0;
        p->made[i] = room / p->w.stride[i] + 1;
    }
    const int64_t places = p->w.kernel[0] * p->w.kernel[1];
    for (int64_t i = 0; i < p->channels * p->size[0] * p->size[1]; i++)
        p->x[i] = value();
    for (int64_t i = 0; i < p->rows * p->channels * places; i++)
        p->weight[i] = below(3) ? 0.0f : value();
    for (int64_t i = 0; i < p->rows; i++)
        p->bias[i] = value();
    return p->rows * p->made[0] * p->made[1] <= MOST && p->rows * p->channels * places <= MOST;
}

/* What place (row, column) of the window at position (r, c) finds in a channel; 0 and *inside 0 for padding.
 */
static double find(const problem *p, int64_t channel, int64_t r, int64_t c, int64_t row, int64_t column,
                   int *inside)
{
    const int64_t h = r * p->w.stride[0] - p->w.before[0] + row * p->w.dilation[0];
    const int64_t w = c * p->w.stride[1] - p->w.before[1] + column * p->w.dilation[1];
    *inside = h >= 0 && h < p->size[0] && w >= 0 && w < p->size[1];
    return *inside ? (double)p->x[(channel * p->size[0] + h) * p->size[1] + w] : 0.0;
}

static double convolve(const problem *p, int64_t o, int64_t r, int64_t c)
{
    const int64_t places = p->w.kernel[0] * p->w.kernel[1];
    double sum = (double)p->bias[o];
    int inside;
    for (int64_t i = 0; i < p->channels * places; i++)
        sum += (double)p->weight[o * p->channels * places + i] *
               find(p, i / places, r, c, i % places / p->w.kernel[1], i % p->w.kernel[1], &inside);
    return sum;
}

/* The largest value, or the mean of those that are there; NaN where there is none. */
static double pool(const problem *p, int is_max, int64_t channel, int64_t r, int64_t c)
{
    double joined = is_max ? -INFINITY : 0.0;
    int64_t count = 0;
    for (int64_t i = 0; i < p->w.kernel[0] * p->w.kernel[1]; i++) {
        int inside;
        const double x = find(p, channel, r, c, i / p->w.kernel[1], i % p->w.kernel[1], &inside);
        if (!inside)
            continue;
        joined = is_max ? fmax(joined, x) : joined + x;
        count++;
    }
    return count == 0 ? (double)NAN : is_max ? joined : joined / (double)count;
}

/* ---- models ---- */

/* x through one node; NULL where the core refuses it. */
static snn_model *model_of(const problem *p, const char *op)
{
    const window *w = &p->w;
    int64_t numbers[NUMBERS] = {w->kernel[0], w->kernel[1], w->stride[0], w->stride[1],   w->before[0],
                                w->before[1], w->behind[0], w->behind[1], w->dilation[0], w->dilation[1]};
    const int is_mean = strcmp(op, "avg_pool2d") == 0, is_product = strcmp(op, "conv2d") == 0;
    if (is_mean)
        numbers[8] = 0; // count_include_pad
    const int64_t dims[3] = {p->channels, p->size[0], p->size[1]};
    int64_t x, y;
    snn_model *model = NULL;
    CHECK_OK(snn_model_create_graph(&model));
    CHECK_OK(snn_model_add_input(model, "x", dims, 3, &x));
    const snn_node_spec spec = {.op = op,
                                .operands = &x,
                                .operand_count = 1,
                                .integers = numbers,
                                .integer_count = is_mean ? 9 : 10,
                                .rows = is_product ? p->rows : 0,
                                .cols = is_product ? p->channels * w->kernel[0] * w->kernel[1] : 0,
                                .weight = is_product ? p->weight : NULL,
                                .bias = is_product ? p->bias : NULL};
    if (snn_model_add_node(model, &spec, &y) == SNN_OK && snn_model_add_output(model, "y", y) == SNN_OK)
        return model;
    snn_model_free(model);
    return NULL;
}

/* relu(conv(x) + conv(x)): the sum and what follows are fused into the second convolution. */
static snn_model *sum_of(const problem *p)
{
    const window *w = &p->w;
    const int64_t numbers[NUMBERS] = {w->kernel[0],   w->kernel[1],  w->stride[0], w->stride[1],
                                      w->before[0],   w->before[1],  w->behind[0], w->behind[1],
                                      w->dilation[0], w->dilation[1]};
    const int64_t dims[3] = {p->channels, p->size[0], p->size[1]};
    int64_t x, parts[2], sum, y;
    snn_model *model = NULL;
    CHECK_OK(snn_model_create_graph(&model));
    CHECK_OK(snn_model_add_input(model, "x", dims, 3, &x));
    const snn_node_spec conv = {.op = "conv2d",
                                .operands = &x,
                                .operand_count = 1,
                                .integers = numbers,
                                .integer_count = 10,
                                .rows = p->rows,
                                .cols = p->channels * w->kernel[0] * w->kernel[1],
                                .weight = p->weight,
                                .bias = p->bias};
    for (int i = 0; i < 2; i++)
        if (snn_model_add_node(model, &conv, &parts[i]) != SNN_OK) {
            snn_model_free(model);
            return NULL;
        }
    CHECK_OK(snn_model_add_node(model, &(snn_node_spec){.op = "add", .operands = parts, .operand_count = 2},
                                &sum));
    CHECK_OK(
        snn_model_add_node(model, &(snn_node_spec){.op = "relu", .operands = &sum, .operand_count = 1}, &y));
    CHECK_OK(
        snn_model_add_node(model, &(snn_node_spec){.op = "relu", .operands = &y, .operand_count = 1}, &y));
    CHECK_OK(snn_model_add_output(model, "y", y));
    return model;
}

static void run(const snn_model *model, int threads, problem *p)
{
    const snn_plan_options options = {.threads = threads, .tune = SNN_TUNE_OFF};
    snn_plan *plan = NULL;
    const float *x = p->x;
    float *y = p->y;
    if (!CHECK_OK(snn_plan_create(model, &options, &plan)))
        return;
    CHECK_OK(snn_plan_run_many(plan, &x, 1, &y));
    snn_plan_free(plan);
}

/* An infinity reaches what a weight ties to it: the bits of all else are those without it. Returns how many
 * outputs were compared in a run that made a NaN, or met one on the way. */
static int compare_infinity(problem *p)
{
    static float finite[MOST];
    snn_model *model = model_of(p, "conv2d");
    if (!model)
        return 0;
    const int64_t count = p->rows * p->made[0] * p->made[1];
    int compared_here = 0;
    run(model, 1, p);
    memcpy(finite, p->y, (size_t)count * sizeof *finite);
    const int64_t at = below(p->channels * p->size[0] * p->size[1]);
    const float before = p->x[at];
    p->x[at] = INFINITY;
    run(model, 2, p);
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(p->y[i]))
            continue;
        CHECK(memcmp(&finite[i], &p->y[i], sizeof *finite) == 0);
        compared_here++;
    }
    p->x[at] = before;
    snn_model_free(model);
    return compared_here;
}

/* A sum by one thread and by three, against twice the convolution; with an infinity as well, whose NaNs must
 * leave the rest as it is. Returns 1 when it could be made. */
static int compare_sum(problem *p)
{
    snn_model *model = sum_of(p);
    if (!model)
        return 0;
    static float one[MOST];
    const int64_t positions = p->made[0] * p->made[1], count = p->rows * positions;
    run(model, 1, p);
    memcpy(one, p->y, (size_t)count * sizeof *one);
    run(model, 3, p);
    CHECK(memcmp(one, p->y, (size_t)count * sizeof *one) == 0);
    for (int64_t i = 0; i < count; i++, compared++) {
        const double wanted =
            fmax(0.0, 2.0 * convolve(p, i / positions, i % positions / p->made[1], i % p->made[1]));
        CHECK(fabs((double)p->y[i] - wanted) <= 2e-4 * (1.0 + fabs(wanted)));
    }
    const int64_t at = below(p->channels * p->size[0] * p->size[1]);
    const float before = p->x[at];
    p->x[at] = INFINITY;
    run(model, 2, p);
    p->x[at] = before;
    for (int64_t i = 0; i < count; i++)
        CHECK(!isfinite(p->y[i]) || p->y[i] == one[i] || p->y[i] == 0.0f); // relu of -infinity
    snn_model_free(model);
    return 1;
}

/* Runs a node by one thread and by three, and compares; 1 when it could be made. */
static int compare(problem *p, const char *op)
{
    snn_model *model = model_of(p, op);
    if (!model)
        return 0;
    const int is_product = strcmp(op, "conv2d") == 0;
    const int64_t rows = is_product ? p->rows : p->channels, positions = p->made[0] * p->made[1];
    static float one[MOST];
    run(model, 1, p);
    memcpy(one, p->y, (size_t)(rows * positions) * sizeof *one);
    run(model, 3, p);
    CHECK(memcmp(one, p->y, (size_t)(rows * positions) * sizeof *one) == 0);
    for (int64_t i = 0; i < rows * positions; i++, compared++) {
        const int64_t o = i / positions, r = i % positions / p->made[1], c = i % p->made[1];
        const double wanted =
            is_product ? convolve(p, o, r, c) : pool(p, strcmp(op, "max_pool2d") == 0, o, r, c);
        CHECK(fabs((double)p->y[i] - wanted) <= 1e-4 * (1.0 + fabs(wanted)));
    }
    snn_model_free(model);
    return 1;
}

static void all_tests(const snn_isa *isa)
{
    static problem p;
    int made[3] = {0, 0, 0}, beside = 0, sums = 0;
    (void)isa;
    for (int i = 0; i < 300; i++) {
        if (!make_problem(&p))
            continue;
        made[0] += compare(&p, "conv2d");
        beside += compare_infinity(&p);
        sums += compare_sum(&p);
        made[1] += compare(&p, "max_pool2d");
        p.w.dilation[0] = p.w.dilation[1] = 1;
        for (int k = 0; k < 2; k++)
            p.made[k] = (p.size[k] + p.w.before[k] + p.w.behind[k] - p.w.kernel[k]) / p.w.stride[k] + 1;
        if (p.rows * p.made[0] * p.made[1] <= MOST)
            made[2] += compare(&p, "avg_pool2d");
    }
    CHECK(beside > 10000 && sums > 100);
    CHECK(made[0] > 100 && made[1] > 30 && made[2] > 30);
}

static void test_refusals(void)
{
    static problem p;
    p = (problem){.channels = 2, .size = {5, 5}, .rows = 1, .w = {{2, 2}, {1, 1}, {0, 0}, {0, 0}, {1, 1}}};
    snn_model *fine = model_of(&p, "conv2d");
    CHECK(fine != NULL);
    snn_model_free(fine);
    int64_t *const numbers[] = {&p.w.kernel[0], &p.w.stride[1], &p.w.before[0], &p.w.dilation[1]};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++) {
            const int64_t before = *numbers[i];
            *numbers[i] = k ? (int64_t)1 << 30 : -1;
            CHECK(model_of(&p, "conv2d") == NULL);
            *numbers[i] = before;
        }
    p.w.kernel[0] = 6;
    CHECK(model_of(&p, "max_pool2d") == NULL); // does not fit
    p.w.kernel[0] = 2;
    p.w.before[0] = 2;
    CHECK(model_of(&p, "max_pool2d") == NULL); // a window of padding alone
    CHECK(model_of(&p, "avg_pool2d") == NULL);
}

int main(void)
{
    test_refusals();
    on_every_isa(all_tests);
    return check_report("test_window");
}
