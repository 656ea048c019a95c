/* The optimizers, on every ISA that this machine can run, against double precision. */
#include "train_pattern.h"

#include <float.h>
#include <string.h>

enum { COUNT = 37, STEPS = 5 };

/* One step in double. */
static void step_in_double(const snn_update *u, double *w, double g, double *first, double *second)
{
    g = fmin(u->gradient_limit, fmax(-(double)u->gradient_limit, g * u->gradient_scale));
    const double size = fabs(g);
    g += u->l2 * *w + (*w > 0) * (double)u->l1_slope - (*w < 0) * (double)u->l1_slope;
    double move = u->rate * g;
    if (u->optimizer == SNN_OPTIMIZER_MOMENTUM || u->optimizer == SNN_OPTIMIZER_NESTEROV) {
        *first = u->beta1 * *first + g;
        move = u->rate * (u->optimizer == SNN_OPTIMIZER_NESTEROV ? g + u->beta1 * *first : *first);
    } else if (u->optimizer == SNN_OPTIMIZER_RMSPROP) {
        *first = u->beta2 * *first + (1 - u->beta2) * g * g;
        move = u->rate * g / (sqrt(*first) + u->epsilon);
    } else if (u->optimizer == SNN_OPTIMIZER_ADAM) {
        *first = u->beta1 * *first + (1 - u->beta1) * g;
        *second = u->beta2 * *second + (1 - u->beta2) * g * g;
        move = u->adam_rate * *first / (sqrt(*second) + u->adam_epsilon);
        *w -= (double)u->rate * u->decay * *w;
    }
    if (size > u->move_threshold && fabs(move) > u->move_limit)
        move = copysign(u->move_limit, move);
    *w -= move;
    const double threshold = (double)u->rate * u->penalty_strength, shrunk = fmax(fabs(*w) - threshold, 0);
    if (u->penalty == SNN_PENALTY_L1)
        *w = copysign(shrunk, *w);
    if (u->penalty == SNN_PENALTY_MCP && fabs(*w) <= (double)u->penalty_strength * u->penalty_concavity)
        *w = copysign(shrunk / (1 - (double)u->rate / u->penalty_concavity), *w);
    *w = fmin(u->high, fmax(u->low, *w));
}

static void test_update(snn_update u)
{
    float w[COUNT], g[COUNT], first[COUNT] = {0}, second[COUNT] = {0};
    double w64[COUNT], first64[COUNT] = {0}, second64[COUNT] = {0};
    for (int i = 0; i < COUNT; i++)
        w64[i] = w[i] = (float)(2 * uniform() - 1);
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < COUNT; i++)
            g[i] = (float)((0.5 + uniform()) * (i % 2 ? 1 : -1));
        CHECK(snn_update_values(&u, w, g, first, second, COUNT, 1) == SNN_OK);
        for (int i = 0; i < COUNT; i++)
            step_in_double(&u, &w64[i], g[i], &first64[i], &second64[i]);
    }
    int right = 1;
    // Weights and moves stay below 4; a step makes at most 16 roundings of either, MCP stretches them a
    // little.
    for (int i = 0; i < COUNT; i++)
        right &= near("w", w[i], w64[i], STEPS * STEPS * 16 * 4 * FLT_EPSILON);
    if (!right)
        printf("  optimizer %d penalty %d\n", (int)u.optimizer, (int)u.penalty);
    CHECK(right);
}

static void test_optimizers(void)
{
    const snn_update plain = {.gradient_scale = 1,
                              .gradient_limit = INFINITY,
                              .beta1 = 0.9,
                              .beta2 = 0.99,
                              .rate = 0.05f,
                              .epsilon = 1e-8f,
                              .adam_rate = 0.03f,
                              .adam_epsilon = 1e-8f,
                              .move_limit = INFINITY,
                              .low = -INFINITY,
                              .high = INFINITY};
    for (int kind = SNN_OPTIMIZER_SGD; kind <= SNN_OPTIMIZER_ADAM; kind++) {
        snn_update u = plain;
        u.optimizer = (snn_optimizer)kind;
        test_update(u);
        u.l2 = 0.3f, u.gradient_scale = 0.5f, u.decay = 0.1f;
        test_update(u);
        u.l1_slope = 0.2f, u.gradient_limit = 0.3f, u.low = -0.6f, u.high = 0.4f;
        test_update(u);
        u = plain, u.optimizer = (snn_optimizer)kind;
        u.move_limit = 0.01f, u.move_threshold = 0.9f;
        test_update(u);
        u = plain, u.optimizer = (snn_optimizer)kind;
        u.penalty = SNN_PENALTY_L1, u.penalty_strength = 0.7f;
        test_update(u);
        u.penalty = SNN_PENALTY_MCP, u.penalty_concavity = 0.9f;
        test_update(u);
    }
    // Shrunk weights are zero to the bit, whatever their sign; NaN is not hidden by the projection.
    float w[3] = {1e-3f, -1e-3f, NAN}, g[3] = {0, 0, 0};
    snn_update u = plain;
    u.penalty = SNN_PENALTY_L1, u.penalty_strength = 1, u.low = -1, u.high = 1;
    CHECK(snn_update_values(&u, w, g, NULL, NULL, 3, 1) == SNN_OK);
    CHECK(memcmp(w, g, 2 * sizeof *w) == 0 && isnan(w[2]));
}

/* Values that an update leaves in both packings are those that set would put there. */
static void test_update_refreshes_the_packings(void)
{
    pattern p = make_pattern(97, 130, 0.8);
    const int64_t nnz = p.indptr[p.rows];
    const snn_update u = {.gradient_scale = 1,
                          .gradient_limit = INFINITY,
                          .rate = 0.5f,
                          .move_limit = INFINITY,
                          .low = -INFINITY,
                          .high = INFINITY};
    snn_sparse *one = NULL, *two = NULL;
    CHECK(snn_sparse_create(p.rows, p.cols, p.indptr, p.indices, 2, &one) == SNN_OK);
    CHECK(snn_sparse_create(p.rows, p.cols, p.indptr, p.indices, 2, &two) == SNN_OK);
    float *g = snn_alloc((size_t)nnz, 4);
    for (int64_t i = 0; i < nnz; i++)
        g[i] = (float)uniform();
    CHECK(snn_sparse_set(one, p.data) == SNN_OK);
    CHECK(snn_sparse_update(one, &u, p.data, g, NULL, NULL) == SNN_OK);
    CHECK(snn_sparse_set(two, p.data) == SNN_OK);
    snn_tiles x = make_tiles(70, p.cols, 2, 0), y = make_tiles(70, p.rows, 2, 0),
              other = make_tiles(70, p.rows, 2, 0);
    snn_tiles dx = make_tiles(70, p.cols, 2, 0), other_dx = make_tiles(70, p.cols, 2, 0);
    const size_t y_bytes = (size_t)(y.count * y.stride * snn_tile_samples()) * sizeof(float);
    const size_t x_bytes = (size_t)(x.count * x.stride * snn_tile_samples()) * sizeof(float);
    fill(x, p.cols, 70);
    CHECK(snn_sparse_forward_tiles(one, p.bias, x, NULL, y) == SNN_OK);
    CHECK(snn_sparse_forward_tiles(two, p.bias, x, NULL, other) == SNN_OK);
    CHECK(memcmp(y.values, other.values, y_bytes) == 0);
    CHECK(snn_sparse_backward_input_tiles(one, y, x, NULL, dx) == SNN_OK);
    CHECK(snn_sparse_backward_input_tiles(two, y, x, NULL, other_dx) == SNN_OK);
    CHECK(memcmp(dx.values, other_dx.values, x_bytes) == 0);
    void *all[] = {p.indptr, p.indices, p.data,       p.bias,    g,
                   x.values, y.values,  other.values, dx.values, other_dx.values};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
    snn_sparse_free(one);
    snn_sparse_free(two);
}

static void all_tests(const snn_isa *isa)
{
    (void)isa;
    test_optimizers();
    test_update_refreshes_the_packings();
}

int main(void)
{
    on_every_isa(all_tests);
    return check_report("test_update");
}
