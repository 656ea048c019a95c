/* The three products of training, on every ISA that this machine can run, against double precision.
 *
 * Shapes break tiles and panels: 1, one less and one more than a vector, primes, empty rows, all pruned. The
 * bound of a sum of n products in any order is (n + 2) eps times the sum of their magnitudes. */
#include "train_pattern.h"

#include <float.h>
#include <string.h>

/* ---- the three products ---- */

static double activation(double v, const snn_activation *a)
{
    switch (a->type) {
    case SNN_NODE_RELU: return v > 0 ? v : 0;
    case SNN_NODE_CLIP: return v < a->low ? a->low : v > a->high ? a->high : v;
    case SNN_NODE_TANH: return tanh(v);
    case SNN_NODE_SIGMOID: return 1 / (1 + exp(-v));
    case SNN_NODE_GELU: return 0.5 * v * (1 + erf(v / sqrt(2)));
    case SNN_NODE_ELU: return v > 0 ? v : a->low * expm1(v);
    default: return v;
    }
}

/* The slope from the output y, and from the input z for GELU, as floats hold them. */
static double slope(double y, double z, const snn_activation *a)
{
    switch (a->type) {
    case SNN_NODE_RELU: return y > 0;
    case SNN_NODE_CLIP: return y > a->low && y < a->high;
    case SNN_NODE_TANH: return 1 - y * y;
    case SNN_NODE_SIGMOID: return y * (1 - y);
    case SNN_NODE_ELU: return y > 0 ? 1 : y + a->low;
    case SNN_NODE_GELU: return 0.5 * (1 + erf(z / sqrt(2))) + z * exp(-z * z / 2) * 0.3989422804014327;
    default: return 1;
    }
}

static void test_products(const pattern *p, int64_t batch, int threads, snn_node_type type)
{
    const int64_t nnz = p->indptr[p->rows];
    snn_sparse *sparse = NULL;
    CHECK(snn_sparse_create(p->rows, p->cols, p->indptr, p->indices, threads, &sparse) == SNN_OK);
    CHECK(snn_sparse_threads(sparse) == threads);
    snn_tiles x = make_tiles(batch, p->cols, threads, NAN), y = make_tiles(batch, p->rows, threads, NAN);
    snn_tiles dy = make_tiles(batch, p->rows, threads, NAN), dx = make_tiles(batch, p->cols, threads, NAN);
    snn_tiles z = make_tiles(batch, p->rows, threads, NAN), below = make_tiles(batch, p->cols, threads, 0.0f);
    fill(x, p->cols, batch);
    fill(dy, p->rows, batch);
    const double steep = type == SNN_NODE_GELU ? 1.13 : 1.0;
    snn_activation a = {.type = type, .low = type == SNN_NODE_ELU ? 0.75f : -0.25f, .high = 0.5f};
    if (type == SNN_NODE_GELU)
        a.z = z;
    CHECK(snn_sparse_set(sparse, p->data) == SNN_OK);
    CHECK(snn_sparse_forward_tiles(sparse, p->bias, x, &a, y) == SNN_OK);
    int right = 1;
    for (int64_t r = 0; r < p->rows; r++) {
        for (int64_t s = 0; s < batch && right; s++) {
            double sum = p->bias[r], size = fabs(sum);
            for (int64_t k = p->indptr[r]; k < p->indptr[r + 1]; k++) {
                const double product = (double)p->data[k] * *at(x, p->indices[k], s);
                sum += product;
                size += fabs(product);
            }
            const double n = (double)(p->indptr[r + 1] - p->indptr[r]) + 2;
            right &= near("y", *at(y, r, s), activation(sum, &a), FLT_EPSILON * (n * size * steep + 8));
        }
    }
    // The layer below: its output is x, and for GELU its input is what below holds.
    snn_activation under = a;
    under.z = (snn_tiles){NULL, 0, 0};
    if (type == SNN_NODE_GELU) {
        for (int64_t f = 0; f < p->cols; f++) {
            for (int64_t s = 0; s < batch; s++) {
                *at(below, f, s) = s % 5 ? (float)(4 * uniform() - 2) : 0.0f;
                *at(x, f, s) = (float)activation(*at(below, f, s), &a);
            }
        }
        under.z = below;
    }
    CHECK(snn_sparse_backward_input_tiles(sparse, dy, x, &under, dx) == SNN_OK);
    double *sums = snn_alloc((size_t)(p->cols * batch), 8), *sizes = snn_alloc((size_t)(p->cols * batch), 8);
    for (int64_t r = 0; r < p->rows; r++) {
        for (int64_t k = p->indptr[r]; k < p->indptr[r + 1]; k++) {
            for (int64_t s = 0; s < batch; s++) {
                const double product = (double)p->data[k] * *at(dy, r, s);
                sums[p->indices[k] * batch + s] += product;
                sizes[p->indices[k] * batch + s] += fabs(product);
            }
        }
    }
    for (int64_t f = 0; f < p->cols; f++) {
        for (int64_t s = 0; s < batch && right; s++) {
            const double factor = slope(*at(x, f, s), *at(below, f, s), &a), size = sizes[f * batch + s];
            right &= near("dx", *at(dx, f, s), sums[f * batch + s] * factor,
                          FLT_EPSILON * size * ((double)(p->rows + 2) * steep + 8));
        }
    }
    float *ddata = snn_alloc((size_t)nnz, 4), *dbias = snn_alloc((size_t)p->rows, 4);
    CHECK(snn_sparse_backward_weight_tiles(sparse, dy, x, ddata, dbias) == SNN_OK);
    for (int64_t r = 0; r < p->rows; r++) {
        double total = 0, magnitude = 0;
        for (int64_t s = 0; s < batch; s++) {
            total += *at(dy, r, s);
            magnitude += fabsf(*at(dy, r, s));
        }
        right &= near("dbias", dbias[r], total, FLT_EPSILON * magnitude * (double)(batch + 2));
        for (int64_t k = p->indptr[r]; k < p->indptr[r + 1] && right; k++) {
            double sum = 0, size = 0;
            for (int64_t s = 0; s < batch; s++) {
                const double product = (double)*at(dy, r, s) * *at(x, p->indices[k], s);
                sum += product;
                size += fabs(product);
            }
            right &= near("ddata", ddata[k], sum, FLT_EPSILON * size * (double)(batch + 2));
        }
    }
    if (!right)
        printf("  rows %lld cols %lld nnz %lld batch %lld threads %d activation %d\n", (long long)p->rows,
               (long long)p->cols, (long long)nnz, (long long)batch, threads, (int)type);
    CHECK(right);
    void *all[] = {x.values,     y.values, dy.values, dx.values, z.values,
                   below.values, sums,     sizes,     ddata,     dbias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
    snn_sparse_free(sparse);
}

static void test_all_products(void)
{
    static const int64_t shapes[][2] = {{1, 1},   {1, 64},  {17, 1},   {15, 33},  {16, 16},
                                        {31, 65}, {64, 63}, {97, 300}, {130, 71}, {7, 521}};
    static const double sparsities[] = {0.0, 0.5, 0.9, 1.0};
    static const int64_t batches[] = {1, 15, 16, 64, 67, 130};
    static const snn_node_type types[] = {SNN_NODE_LINEAR,  SNN_NODE_RELU, SNN_NODE_CLIP, SNN_NODE_TANH,
                                          SNN_NODE_SIGMOID, SNN_NODE_GELU, SNN_NODE_ELU};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (size_t j = 0; j < sizeof sparsities / sizeof *sparsities; j++) {
            pattern p = make_pattern(shapes[i][0], shapes[i][1], sparsities[j]);
            test_products(&p, batches[(i + 2 * j) % 6], 1 + (int)((i + j) % 2), types[(i + j) % 7]);
            void *all[] = {p.indptr, p.indices, p.data, p.bias};
            for (size_t m = 0; m < 4; m++)
                snn_free(all[m]);
        }
    }
}

/* Samples first and features first are the same bits, for a pattern of a kernel set that is not the default.
 */
static void test_orders(const char *isa)
{
    static const int64_t sizes[][3] = {{1, 1, 1}, {5, 9, 67}, {33, 16, 15}, {64, 65, 130}, {7, 130, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int64_t rows = sizes[i][0], cols = sizes[i][1], batch = sizes[i][2];
        pattern p = make_pattern(rows, cols, 0.5);
        const int64_t nnz = p.indptr[rows];
        snn_sparse *sparse = NULL;
        CHECK(snn_sparse_create_for(isa, rows, cols, p.indptr, p.indices, 2, &sparse) == SNN_OK);
        const size_t of_rows = (size_t)(rows * batch), of_cols = (size_t)(cols * batch);
        float *x[2], *y[2], *dx[2], *ddata[2], *dbias[2];
        for (int o = 0; o < 2; o++) {
            x[o] = snn_alloc(of_cols, 4), y[o] = snn_alloc(of_rows, 4), dx[o] = snn_alloc(of_cols, 4);
            ddata[o] = snn_alloc((size_t)nnz + 1, 4), dbias[o] = snn_alloc((size_t)rows, 4);
        }
        for (int64_t s = 0; s < batch; s++)
            for (int64_t f = 0; f < cols; f++)
                x[0][s * cols + f] = x[1][f * batch + s] = (float)(uniform() - 0.5);
        for (int o = 0; o < 2; o++) {
            const snn_order order = o ? SNN_FEATURES_FIRST : SNN_SAMPLES_FIRST;
            CHECK(!snn_sparse_forward_ordered(sparse, order, p.data, p.bias, x[o], batch, y[o]));
            CHECK(!snn_sparse_backward_input_ordered(sparse, order, p.data, y[o], batch, dx[o]));
            CHECK(!snn_sparse_backward_weight_ordered(sparse, order, y[o], x[o], batch, ddata[o], dbias[o]));
        }
        for (int64_t s = 0; s < batch; s++) {
            for (int64_t f = 0; f < rows; f++)
                CHECK(near("y", y[0][s * rows + f], y[1][f * batch + s], 0.0));
            for (int64_t f = 0; f < cols; f++)
                CHECK(near("dx", dx[0][s * cols + f], dx[1][f * batch + s], 0.0));
        }
        CHECK(!memcmp(ddata[0], ddata[1], (size_t)nnz * 4) && !memcmp(dbias[0], dbias[1], (size_t)rows * 4));
        CHECK(snn_sparse_forward_ordered(sparse, (snn_order)7, p.data, NULL, x[0], batch, y[0]) ==
              SNN_ERROR_ARGUMENT);
        for (int o = 0; o < 2; o++) {
            void *all[] = {x[o], y[o], dx[o], ddata[o], dbias[o]};
            for (size_t m = 0; m < sizeof all / sizeof *all; m++)
                snn_free(all[m]);
        }
        void *all[] = {p.indptr, p.indices, p.data, p.bias};
        for (size_t m = 0; m < 4; m++)
            snn_free(all[m]);
        snn_sparse_free(sparse);
    }
}

/* ---- loading ---- */

static void test_loading(void)
{
    for (int64_t batch = 1; batch < 140; batch += 23) {
        for (int64_t features = 1; features < 40; features += 6) {
            float x[140 * 40];
            for (int64_t i = 0; i < batch * features; i++)
                x[i] = (float)(i + 1);
            snn_tiles tiles = make_tiles(batch, features, 0, NAN);
            CHECK(snn_tiles_load(x, batch, features, 3, tiles) == SNN_OK);
            int right = 1;
            for (int64_t s = 0; s < tiles.count * snn_tile_samples(); s++)
                for (int64_t f = 0; f < features; f++)
                    right &= *at(tiles, f, s) == (s < batch ? x[s * features + f] : 0.0f);
            CHECK(right);
            snn_free(tiles.values);
        }
    }
}

/* ---- memory and arguments ---- */

static int64_t allocations;

static void *allocate(void *context, size_t bytes, size_t alignment)
{
    (void)context;
    allocations++;
    return aligned_alloc(alignment, bytes);
}

static void release(void *context, void *pointer)
{
    (void)context;
    free(pointer);
}

/* Training steps allocate nothing; calls that take matrices, nothing after the first. */
static void test_steps_allocate_nothing(void)
{
    pattern p = make_pattern(97, 130, 0.8);
    const int64_t nnz = p.indptr[p.rows];
    const snn_update u = {.optimizer = SNN_OPTIMIZER_MOMENTUM, .gradient_scale = 1};
    snn_sparse *sparse = NULL;
    CHECK(snn_sparse_create(p.rows, p.cols, p.indptr, p.indices, 2, &sparse) == SNN_OK);
    snn_tiles x = make_tiles(70, p.cols, 2, 0), y = make_tiles(70, p.rows, 2, 0),
              dx = make_tiles(70, p.cols, 2, 0);
    float *g = snn_alloc((size_t)nnz, 4), *first = snn_alloc((size_t)nnz, 4), *rows = snn_alloc(130 * 70, 4);
    int64_t before = allocations;
    for (int i = 0; i < 2; i++) {
        CHECK(snn_tiles_load(rows, 70, 130, 2, x) == SNN_OK);
        CHECK(snn_sparse_set(sparse, p.data) == SNN_OK);
        CHECK(snn_sparse_forward_tiles(sparse, p.bias, x, NULL, y) == SNN_OK);
        CHECK(snn_sparse_backward_input_tiles(sparse, y, x, NULL, dx) == SNN_OK);
        CHECK(snn_sparse_backward_weight_tiles(sparse, y, x, g, NULL) == SNN_OK);
        CHECK(snn_sparse_update(sparse, &u, p.data, g, first, NULL) == SNN_OK);
    }
    CHECK(allocations == before);
    float *columns = snn_alloc(97 * 70, 4);
    before = allocations;
    for (int i = 0; i < 3; i++) {
        CHECK(snn_sparse_forward(sparse, p.data, p.bias, rows, 70, columns) == SNN_OK);
        CHECK(snn_sparse_backward_input(sparse, p.data, columns, 70, rows) == SNN_OK);
        CHECK(snn_sparse_backward_weight(sparse, columns, rows, 70, g, NULL) == SNN_OK);
    }
    CHECK(allocations == before + 1); // the scratch tiles
    void *all[] = {p.indptr,  p.indices, p.data, p.bias, x.values, y.values,
                   dx.values, g,         first,  rows,   columns};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
    snn_sparse_free(sparse);
}

static void test_bad_arguments(void)
{
    pattern p = make_pattern(5, 4, 0.5);
    snn_sparse *sparse = NULL;
    CHECK(snn_sparse_create(5, 4, p.indptr, p.indices, 1, &sparse) == SNN_OK);
    snn_tiles x = make_tiles(3, 4, 1, 0), y = make_tiles(3, 5, 1, 0), narrow = y, many = y;
    narrow.stride = 5; // no scratch row
    many.count = 2;
    const snn_activation softmax = {.type = SNN_NODE_SOFTMAX}, gelu = {.type = SNN_NODE_GELU};
    CHECK(snn_sparse_forward_tiles(NULL, NULL, x, NULL, y) == SNN_ERROR_ARGUMENT);
    CHECK(snn_sparse_forward_tiles(sparse, NULL, x, NULL, narrow) == SNN_ERROR_ARGUMENT);
    CHECK(snn_sparse_forward_tiles(sparse, NULL, x, NULL, many) == SNN_ERROR_ARGUMENT);
    CHECK(snn_sparse_forward_tiles(sparse, NULL, x, &softmax, y) == SNN_ERROR_ARGUMENT);
    CHECK(snn_sparse_forward_tiles(sparse, NULL, x, &gelu, y) == SNN_ERROR_ARGUMENT);
    CHECK(snn_sparse_backward_weight_tiles(sparse, y, x, NULL, NULL) == SNN_ERROR_ARGUMENT);
    CHECK(snn_sparse_update(sparse, NULL, p.data, p.data, NULL, NULL) == SNN_ERROR_ARGUMENT);
    const snn_update adam = {.optimizer = SNN_OPTIMIZER_ADAM}, unknown = {.optimizer = (snn_optimizer)9};
    CHECK(snn_sparse_update(sparse, &adam, p.data, p.data, NULL, NULL) == SNN_ERROR_ARGUMENT);
    CHECK(snn_sparse_update(sparse, &unknown, p.data, p.data, NULL, NULL) == SNN_ERROR_ARGUMENT);
    CHECK(snn_tiles_load(NULL, 3, 4, 1, x) == SNN_ERROR_ARGUMENT);
    void *all[] = {p.indptr, p.indices, p.data, p.bias, x.values, y.values};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
    snn_sparse_free(sparse);
}

static void all_tests(const snn_isa *isa)
{
    CHECK(snn_tile_samples() == 4 * isa->lanes);
    CHECK(setenv("SPARSENN_ISA", "sse9", 1) == 0);
    CHECK(snn_tile_samples() == 0 && snn_tile_samples_for(isa->name) == 4 * isa->lanes);
    test_orders(isa->name);
    CHECK(setenv("SPARSENN_ISA", isa->name, 1) == 0);
    test_all_products();
    test_loading();
    test_steps_allocate_nothing();
    test_bad_arguments();
}

int main(void)
{
    const snn_allocator counting = {allocate, release, NULL};
    CHECK(snn_set_allocator(&counting) == SNN_OK);
    on_every_isa(all_tests);
    return check_report("test_train");
}
