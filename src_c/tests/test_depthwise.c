/* Depthwise convolutions: random ones against plain loops in double, and bit for bit against the same weights
 * in a convolution that is none; on every kernel set, any batch and threads, with infinities and NaNs. */
#define _XOPEN_SOURCE 700
#include "train_pattern.h"

#include <string.h>

enum { NUMBERS = 10, MOST = 1 << 17, MOST_ROWS = 144, SPARE = 9 };

typedef struct problem {
    int64_t channels, size[2], rows, made[2], batch, source[MOST_ROWS];
    int64_t kernel[2], stride[2], before[2], behind[2], dilation[2];
    const char *activation; /* NULL: none */
    int adds;
    float x[MOST], weight[MOST], bias[MOST_ROWS], addend[MOST];
} problem;

static int64_t below(int64_t most) { return (int64_t)(uniform() * (double)most); }
static float value(void) { return (float)(below(2001) - 1000) / 250.0f; }

static int64_t places_of(const problem *p) { return p->kernel[0] * p->kernel[1]; }
static int64_t results_of(const problem *p) { return p->rows * p->made[0] * p->made[1]; }

/* A window of 3 x 3 as most networks have it, or any. */
static void make_window(problem *p)
{
    const int usual = below(2) != 0, stride = 1 + (int)below(2), one = below(4) == 0;
    for (int i = 0; i < 2; i++) {
        p->size[i] = 1 + below(below(3) ? 12 : 40);
        p->kernel[i] = usual ? 3 : 1 + below(7);
        p->stride[i] = usual ? stride : 1 + below(3);
        p->before[i] = usual ? below(2) : below(4);
        p->behind[i] = below(usual ? 2 : 4);
        p->dilation[i] = usual ? 1 : 1 + below(3);
    }
    if (one) { // one dimension
        p->size[0] = p->kernel[0] = p->stride[0] = p->dilation[0] = 1;
        p->size[1] = 1 + below(below(3) ? 50 : 3000);
        p->before[0] = p->behind[0] = 0;
    }
}

/* 0 where the window does not fit, or it is too large for the arrays. */
static int make_problem(problem *p)
{
    static const char *const activations[] = {NULL, "relu", "silu"};
    make_window(p);
    for (int i = 0; i < 2; i++) {
        const int64_t room =
            p->size[i] + p->before[i] + p->behind[i] - p->dilation[i] * (p->kernel[i] - 1) - 1;
        if (room < 0)
            return 0;
        p->made[i] = room / p->stride[i] + 1;
    }
    p->channels = 1 + below(below(4) ? 5 : 67);
    p->rows = p->channels * (1 + below(2));
    p->batch = 1 + (below(3) ? 0 : below(9));
    p->activation = activations[below(3)];
    p->adds = below(3) == 0;
    const int64_t cols = p->channels * places_of(p), image = p->channels * p->size[0] * p->size[1];
    if ((p->rows + SPARE) * cols > MOST || p->batch * image > MOST || p->batch * results_of(p) > MOST)
        return 0;
    const int holes = below(3) == 0; // among the weights
    memset(p->weight, 0, (size_t)((p->rows + SPARE) * cols) * sizeof(float));
    for (int64_t r = 0; r < p->rows; r++) {
        p->bias[r] = value();
        p->source[r] = below(4) ? r * p->channels / p->rows : below(p->channels);
        for (int64_t i = 0; i < places_of(p); i++)
            p->weight[r * cols + p->source[r] * places_of(p) + i] = holes && below(2) ? 0.0f : value();
    }
    for (int64_t i = 0; i < p->batch * image; i++)
        p->x[i] = value();
    for (int64_t i = 0; i < p->batch * results_of(p); i++)
        p->addend[i] = value();
    return 1;
}

/* ---- plain loops ---- */

static double convolve(const problem *p, int64_t sample, int64_t o, int64_t r, int64_t c)
{
    const float *x = p->x + (sample * p->channels + p->source[o]) * p->size[0] * p->size[1];
    const float *weight = p->weight + (o * p->channels + p->source[o]) * places_of(p);
    double sum = (double)p->bias[o];
    for (int64_t i = 0; i < places_of(p); i++) {
        const int64_t h = r * p->stride[0] - p->before[0] + i / p->kernel[1] * p->dilation[0];
        const int64_t w = c * p->stride[1] - p->before[1] + i % p->kernel[1] * p->dilation[1];
        if (weight[i] != 0.0f && h >= 0 && h < p->size[0] && w >= 0 && w < p->size[1])
            sum += (double)weight[i] * (double)x[h * p->size[1] + w];
    }
    return sum;
}

static double activate(const problem *p, double z)
{
    if (!p->activation || z != z)
        return z;
    if (!strcmp(p->activation, "relu"))
        return z > 0.0 ? z : 0.0;
    return z < -80.0 ? 0.0 : z / (1.0 + exp(-z));
}

static int same(double got, double wanted)
{
    if (!isfinite(wanted))
        return isnan(wanted) ? isnan(got) : got == wanted;
    return fabs(got - wanted) <= 1e-4 * (1.0 + fabs(wanted));
}

static void compare_values(const problem *p, const float *y)
{
    const int64_t positions = p->made[0] * p->made[1], count = results_of(p);
    for (int64_t i = 0; i < p->batch * count; i++, compared++) {
        const int64_t at = i % positions;
        const double sum = convolve(p, i / count, i % count / positions, at / p->made[1], at % p->made[1]);
        const double wanted = activate(p, p->adds ? sum + (double)p->addend[i] : sum);
        if (!CHECK(same((double)y[i], wanted)))
            return;
    }
}

/* ---- models ---- */

/* more: rows of W behind those of the problem, which keep it from being depthwise. sparse: as CSR. */
static snn_model *model_of(const problem *p, int64_t more, int sparse)
{
    const int64_t numbers[NUMBERS] = {p->kernel[0],   p->kernel[1],  p->stride[0], p->stride[1],
                                      p->before[0],   p->before[1],  p->behind[0], p->behind[1],
                                      p->dilation[0], p->dilation[1]};
    const int64_t dims[3] = {p->channels, p->size[0], p->size[1]}, rows = p->rows + more;
    const int64_t made[3] = {rows, p->made[0], p->made[1]}, cols = p->channels * places_of(p);
    static float bias[MOST_ROWS + SPARE], data[MOST];
    static int64_t indptr[MOST_ROWS + SPARE + 1];
    static int32_t indices[MOST];
    int64_t x, y, at = 0;
    snn_model *model = NULL;
    memcpy(bias, p->bias, (size_t)p->rows * sizeof *bias);
    for (int64_t r = 0; r < rows; indptr[++r] = at)
        for (int64_t k = 0; k < cols; k++)
            if (p->weight[r * cols + k] != 0.0f || (k / places_of(p) == p->source[r < p->rows ? r : 0] &&
                                                    r < p->rows && k % 3 == 0)) { // some zeros are stored
                indices[at] = (int32_t)k;
                data[at++] = p->weight[r * cols + k];
            }
    CHECK_OK(snn_model_create_graph(&model));
    CHECK_OK(snn_model_add_input(model, "x", dims, 3, &x));
    CHECK_OK(snn_model_add_node(model,
                                &(snn_node_spec){.op = "conv2d",
                                                 .operands = &x,
                                                 .operand_count = 1,
                                                 .integers = numbers,
                                                 .integer_count = NUMBERS,
                                                 .rows = rows,
                                                 .cols = cols,
                                                 .weight = sparse ? NULL : p->weight,
                                                 .indptr = sparse ? indptr : NULL,
                                                 .indices = sparse ? indices : NULL,
                                                 .data = sparse ? data : NULL,
                                                 .bias = bias},
                                &y));
    if (p->adds) {
        int64_t both[2] = {0, y};
        CHECK_OK(snn_model_add_input(model, "addend", made, 3, &both[0]));
        CHECK_OK(snn_model_add_node(model,
                                    &(snn_node_spec){.op = "add", .operands = both, .operand_count = 2}, &y));
    }
    if (p->activation)
        CHECK_OK(snn_model_add_node(
            model, &(snn_node_spec){.op = p->activation, .operands = &y, .operand_count = 1}, &y));
    CHECK_OK(snn_model_add_output(model, "y", y));
    return model;
}

static int stencils, in_place, others;

static void count_kernels(const snn_plan *plan)
{
    static char text[1 << 16];
    size_t needed;
    CHECK_OK(snn_plan_report(plan, text, sizeof text, &needed));
    const int three = strstr(text, "\"stencil_three_") != NULL, any = strstr(text, "\"stencil") != NULL;
    in_place += three;
    stencils += any && !three;
    others += !any;
}

static void run(const problem *p, int64_t more, int sparse, int threads, const float *addend, float *y)
{
    snn_model *model = model_of(p, more, sparse);
    const snn_plan_options options = {.threads = threads, .tune = SNN_TUNE_OFF};
    const float *inputs[2] = {p->x, addend};
    snn_plan *plan = NULL;
    if (CHECK_OK(snn_plan_create(model, &options, &plan))) {
        count_kernels(plan);
        CHECK_OK(snn_plan_run_many(plan, inputs, p->batch, &y));
    }
    snn_plan_free(plan);
    snn_model_free(model);
}

/* The same rows of W among others that make a product of it. */
static void compare_product(problem *p, const float *y)
{
    static float wide[2 * MOST + (1 << 20)], addend[2 * MOST + (1 << 20)];
    const int64_t positions = p->made[0] * p->made[1], count = results_of(p);
    // Rows of one channel are a product where there are more than four a channel.
    const int64_t more = p->channels > 1 ? 1 : 5 - p->rows, cols = p->channels * places_of(p);
    const int64_t all = (p->rows + more) * positions;
    if (p->batch * all > (int64_t)(sizeof wide / sizeof *wide) || more > SPARE)
        return;
    for (int64_t k = 0; k < cols; k++)
        p->weight[p->rows * cols + k] = p->channels > 1 ? 1.0f : 0.0f;
    for (int64_t s = 0; s < p->batch; s++) {
        memset(addend + s * all, 0, (size_t)all * sizeof *addend);
        memcpy(addend + s * all, p->addend + s * count, (size_t)count * sizeof *addend);
    }
    const int before = others;
    run(p, more, 0, 2, addend, wide);
    CHECK(others == before + 1);
    for (int64_t s = 0; s < p->batch; s++)
        CHECK(memcmp(wide + s * all, y + s * count, (size_t)count * sizeof *y) == 0);
    memset(p->weight + p->rows * cols, 0, (size_t)cols * sizeof(float));
}

static void compare(problem *p)
{
    static float y[MOST], again[MOST];
    const size_t bytes = (size_t)(p->batch * results_of(p)) * sizeof *y;
    const int before = others;
    run(p, 0, 0, 1, p->addend, y);
    compare_values(p, y);
    for (int threads = 2; threads < 4; threads++) {
        run(p, 0, threads == 2, threads, p->addend, again);
        CHECK(memcmp(y, again, bytes) == 0);
    }
    CHECK(others == before);
    compare_product(p, y);
}

static void all_tests(const snn_isa *isa)
{
    static problem p;
    int made = 0;
    (void)isa;
    stencils = in_place = others = 0;
    for (int i = 0; i < 250; i++) {
        if (!make_problem(&p))
            continue;
        made++;
        compare(&p);
        const int64_t floats = p.batch * p.channels * p.size[0] * p.size[1];
        for (int k = 0; k < 3; k++)
            p.x[below(floats)] = k == 0 ? INFINITY : k == 1 ? -INFINITY : NAN;
        compare(&p);
    }
    CHECK(made > 100 && stencils > 150 && in_place > 150);
}

int main(void)
{
    on_every_isa(all_tests);
    return check_report("test_depthwise");
}
