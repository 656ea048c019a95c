/* The three products of a convolution in training, on every ISA that this machine can run, against double
 * precision and over windows of every kind; the same bits for any number of threads, held up at random.
 *
 * The bound of a sum of n products in any order is (n + 2) eps times the sum of their magnitudes.
 *
 * test_train_conv [random shapes for each ISA [seed]]. */
#include "perturbed_threads.h"
#include "random_window.h"
#include "train_pattern.h"

#include <float.h>
#include <string.h>

/* One configuration: x (height, width, channels) and y (out height, out width, rows) a sample. */
typedef struct network {
    snn_conv_shape shape;
    int64_t out_height, out_width, batch;
    pattern weights;
    snn_tiles x, dy;
} network;

static int64_t in_features(const snn_conv_shape *s) { return s->channels * s->height * s->width; }

/* The feature of x that place (kh, kw) of the window meets at (i, j) in a channel; -1: padding. */
static int64_t met(const snn_conv_shape *s, int64_t column, int64_t i, int64_t j)
{
    const int64_t places = s->kernel_h * s->kernel_w, place = column % places;
    const int64_t h = i * s->stride_h - s->pad_top + place / s->kernel_w * s->dilation_h;
    const int64_t w = j * s->stride_w - s->pad_left + place % s->kernel_w * s->dilation_w;
    if (h < 0 || h >= s->height || w < 0 || w >= s->width)
        return -1;
    return (h * s->width + w) * s->channels + column / places;
}

/* Tiles for a result, NaN but for the row behind the features: -0, which stays as it is only if nothing is
 * added, not even the zeros of a row that fills up a panel. */
static snn_tiles result_tiles(int64_t batch, int64_t features)
{
    const snn_tiles tiles = make_tiles(batch, features, MOST_THREADS, NAN);
    for (int64_t s = 0; s < batch; s++)
        *at(tiles, features, s) = -0.0f;
    return tiles;
}

/* Whether that row is as it was: a target that writes it would have written into the next one as well. */
static int is_left_alone(snn_tiles tiles, int64_t features, int64_t batch)
{
    int left = 1;
    for (int64_t s = 0; s < batch; s++)
        left &= *at(tiles, features, s) == 0.0f && signbit(*at(tiles, features, s));
    if (!left)
        printf("a target has written into the row behind it\n");
    return left;
}

typedef struct results {
    snn_tiles y, dx;
    float *ddata, *dbias;
} results;

static results run(const network *n, int threads, const char *isa)
{
    const pattern *p = &n->weights;
    const int64_t outputs = n->out_height * n->out_width * p->rows;
    snn_conv *conv = NULL;
    CHECK_OK(snn_conv_create(isa, &n->shape, p->rows, p->indptr, p->indices, threads, &conv));
    CHECK(snn_conv_threads(conv) == threads);
    CHECK(snn_conv_out_height(conv) == n->out_height && snn_conv_out_width(conv) == n->out_width);
    results r = {result_tiles(n->batch, outputs), result_tiles(n->batch, in_features(&n->shape)),
                 snn_alloc((size_t)p->indptr[p->rows], 4), snn_alloc((size_t)p->rows, 4)};
    const snn_activation relu = {.type = SNN_NODE_RELU};
    CHECK_OK(snn_conv_set(conv, p->data));
    CHECK_OK(snn_conv_forward_tiles(conv, p->bias, n->x, &relu, r.y));
    CHECK_OK(snn_conv_backward_input_tiles(conv, n->dy, n->x, &relu, r.dx));
    CHECK_OK(snn_conv_backward_weight_tiles(conv, n->dy, n->x, r.ddata, r.dbias));
    snn_conv_free(conv);
    return r;
}

static void free_results(results *r)
{
    void *all[] = {r->y.values, r->dx.values, r->ddata, r->dbias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
}

/* Sums and the sums of their magnitudes, in double. */
typedef struct exact {
    double *dx, *dx_size, *ddata, *ddata_size;
} exact;

/* Compares y as it goes, and adds up the two gradients. */
static int accumulate(const network *n, const results *r, exact *e)
{
    const pattern *p = &n->weights;
    int right = 1;
    for (int64_t s = 0; s < n->batch; s++) {
        for (int64_t o = 0; o < n->out_height * n->out_width * p->rows && right; o++) {
            const int64_t row = o % p->rows, i = o / p->rows / n->out_width, j = o / p->rows % n->out_width;
            double sum = p->bias[row], size = fabs(sum);
            const double slope = *at(n->dy, o, s);
            for (int64_t k = p->indptr[row]; k < p->indptr[row + 1]; k++) {
                const int64_t from = met(&n->shape, p->indices[k], i, j);
                if (from < 0)
                    continue;
                const double x = *at(n->x, from, s), back = slope * p->data[k], part = slope * x;
                sum += p->data[k] * x;
                size += fabs(p->data[k] * x);
                e->dx[from * n->batch + s] += back;
                e->dx_size[from * n->batch + s] += fabs(back);
                e->ddata[k] += part;
                e->ddata_size[k] += fabs(part);
            }
            const double terms = (double)(p->indptr[row + 1] - p->indptr[row]) + 2;
            right &= near("y", *at(r->y, o, s), sum > 0 ? sum : 0, FLT_EPSILON * terms * size);
        }
    }
    return right;
}

static void check_network(const network *n, const char *isa)
{
    const pattern *p = &n->weights;
    const int64_t inputs = in_features(&n->shape), nnz = p->indptr[p->rows];
    const int64_t positions = n->out_height * n->out_width;
    exact e = {snn_alloc((size_t)(inputs * n->batch), 8), snn_alloc((size_t)(inputs * n->batch), 8),
               snn_alloc((size_t)nnz, 8), snn_alloc((size_t)nnz, 8)};
    results one = run(n, 1, isa);
    int right = accumulate(n, &one, &e);
    right &= is_left_alone(one.y, positions * p->rows, n->batch) && is_left_alone(one.dx, inputs, n->batch);
    const double terms = (double)(p->rows * n->shape.kernel_h * n->shape.kernel_w + 2);
    for (int64_t f = 0; f < inputs; f++)
        for (int64_t s = 0; s < n->batch && right; s++)
            right &= near("dx", *at(one.dx, f, s), *at(n->x, f, s) > 0 ? e.dx[f * n->batch + s] : 0,
                          FLT_EPSILON * terms * e.dx_size[f * n->batch + s]);
    for (int64_t k = 0; k < nnz && right; k++)
        right &= near("ddata", one.ddata[k], e.ddata[k],
                      FLT_EPSILON * (double)(n->batch * positions + 2) * e.ddata_size[k]);
    for (int64_t row = 0; row < p->rows && right; row++) {
        double total = 0, size = 0;
        for (int64_t o = row; o < positions * p->rows; o += p->rows)
            for (int64_t s = 0; s < n->batch; s++) {
                total += *at(n->dy, o, s);
                size += fabs(*at(n->dy, o, s));
            }
        right &=
            near("dbias", one.dbias[row], total, FLT_EPSILON * (double)(n->batch * positions + 2) * size);
    }
    for (int threads = 2; threads <= 4; threads++) {
        results other = run(n, threads, isa);
        right &= !memcmp(one.ddata, other.ddata, (size_t)nnz * 4) &&
                 !memcmp(one.dbias, other.dbias, (size_t)p->rows * 4);
        for (int64_t s = 0; s < n->batch; s++) {
            for (int64_t f = 0; f < inputs; f++)
                right &= *at(one.dx, f, s) == *at(other.dx, f, s);
            for (int64_t o = 0; o < positions * p->rows; o++)
                right &= *at(one.y, o, s) == *at(other.y, o, s);
        }
        free_results(&other);
    }
    if (!right)
        printf("  channels %lld rows %lld kernel %lld x %lld\n", (long long)n->shape.channels,
               (long long)p->rows, (long long)n->shape.kernel_h, (long long)n->shape.kernel_w);
    CHECK(right);
    free_results(&one);
    void *all[] = {e.dx, e.dx_size, e.ddata, e.ddata_size};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
}

static void check_shape(const snn_conv_shape *shape, int64_t rows, int64_t batch, double sparsity,
                        const char *isa)
{
    network n = {.shape = *shape, .batch = batch};
    n.out_height = windows_down(shape);
    n.out_width = windows_across(shape);
    n.weights = make_pattern(rows, shape->channels * shape->kernel_h * shape->kernel_w, sparsity);
    const int64_t outputs = n.out_height * n.out_width * rows;
    n.x = make_tiles(batch, in_features(shape), MOST_THREADS, 0.0f);
    n.dy = make_tiles(batch, outputs, MOST_THREADS, 0.0f);
    fill(n.x, in_features(shape), batch);
    fill(n.dy, outputs, batch);
    check_network(&n, isa);
    void *all[] = {n.x.values,        n.dy.values,    n.weights.indptr,
                   n.weights.indices, n.weights.data, n.weights.bias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
}

/* Windows in place and gathered, runs of one place and of several, strides with and without bare positions.
 */
static void test_shapes(const char *isa)
{
    static const snn_conv_shape shapes[] = {
        {1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},   {3, 5, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
        {70, 4, 5, 3, 2, 1, 1, 1, 0, 1, 1, 1, 1},  {66, 6, 7, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1},
        {65, 5, 5, 1, 1, 2, 3, 0, 0, 0, 0, 1, 1},  {5, 7, 9, 2, 3, 3, 1, 2, 0, 1, 3, 2, 2},
        {130, 3, 3, 2, 2, 1, 1, 0, 0, 0, 0, 1, 2}, {300, 2, 3, 1, 3, 1, 1, 0, 1, 0, 1, 1, 1},
        {64, 4, 4, 2, 2, 1, 1, 3, 3, 3, 3, 1, 1},  {2, 1, 9, 1, 4, 1, 5, 0, 2, 0, 0, 1, 2},
    };
    static const double sparsities[] = {0.0, 0.7, 0.95, 1.0};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t j = 0; j < 3; j++)
            check_shape(&shapes[i], (int64_t)(3 * i + 7 * j) % 23 + 1, 1 + (int64_t)((i * 11 + j * 5) % 21),
                        j < 2 ? sparsities[(i + j) % 4] : -1, isa);
    /* Dense, of more channels, rows and positions than are taken together; more samples than a chunk has. */
    static const snn_conv_shape larger[] = {
        {37, 17, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
        {201, 2, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
        {3, 40, 9, 5, 3, 2, 1, 2, 1, 2, 1, 1, 1},
    };
    for (size_t i = 0; i < sizeof larger / sizeof *larger; i++)
        check_shape(&larger[i], 13 + 7 * (int64_t)i, 40, -1, isa);
}

/* A weight of a dense convolution that is 0 reads nothing: an infinity of x reaches the other rows alone. */
static void test_infinities(const char *isa)
{
    enum { CHANNELS = 16, IN = 9 * CHANNELS };
    const snn_conv_shape shape = {CHANNELS, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    pattern p = make_pattern(8, IN, -1);
    for (int64_t row = 0; row < 8; row += 2)
        for (int64_t place = 0; place < 9; place++)
            p.data[row * IN + 9 + place] = 0.0f; // does not read channel 1
    snn_tiles x = make_tiles(5, IN, 1, 0.0f), y = make_tiles(5, 72, 1, 0.0f);
    fill(x, IN, 5);
    *at(x, 4 * CHANNELS + 1, 2) = INFINITY; // in channel 1 of the middle, which every window holds
    snn_conv *conv = NULL;
    CHECK_OK(snn_conv_create(isa, &shape, 8, p.indptr, p.indices, 2, &conv));
    CHECK_OK(snn_conv_set(conv, p.data));
    CHECK_OK(snn_conv_forward_tiles(conv, p.bias, x, NULL, y));
    int right = 1;
    for (int64_t o = 0; o < 72; o++)
        for (int64_t s = 0; s < 5; s++)
            right &= !isfinite(*at(y, o, s)) == (s == 2 && o % 2 == 1);
    CHECK(right);
    snn_conv_free(conv);
    void *all[] = {x.values, y.values, p.indptr, p.indices, p.data, p.bias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
}

/* Windows that fit, over channels that take one block of columns or several. */
static void test_random_shape(const char *isa)
{
    static const double sparsities[] = {-1.0, 0.0, 0.5, 0.8, 0.95, 0.99, 1.0};
    const snn_conv_shape s = random_window(chance(3) ? from(1, 40) : from(1, 700));
    if (windows_down(&s) && windows_across(&s))
        check_shape(&s, from(1, 24), from(1, 20), sparsities[chance(7)], isa);
}

static void test_arguments(void)
{
    snn_conv_shape shape = {2, 4, 4, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1};
    pattern p = make_pattern(3, 18, 0.5);
    snn_conv *conv = NULL;
    CHECK(snn_conv_create(NULL, &shape, 3, p.indptr, p.indices, 1, NULL) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_create(NULL, NULL, 3, p.indptr, p.indices, 1, &conv) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_create(NULL, &shape, 3, p.indptr, p.indices, -1, &conv) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_create("none", &shape, 3, p.indptr, p.indices, 1, &conv) == SNN_ERROR_ISA);
    shape.width = 2;
    CHECK(snn_conv_create(NULL, &shape, 3, p.indptr, p.indices, 1, &conv) == SNN_ERROR_ARGUMENT);
    shape.width = 4;
    shape.stride_h = 0;
    CHECK(snn_conv_create(NULL, &shape, 3, p.indptr, p.indices, 1, &conv) == SNN_ERROR_ARGUMENT);
    shape.stride_h = 1;
    p.indices[0] = 18;
    CHECK(snn_conv_create(NULL, &shape, 3, p.indptr, p.indices, 1, &conv) == SNN_ERROR_CSR);
    p.indices[0] = 0;
    CHECK_OK(snn_conv_create(NULL, &shape, 3, p.indptr, p.indices, 1, &conv));
    snn_tiles x = make_tiles(1, 32, 1, 0.0f), y = make_tiles(1, 12, 1, 0.0f), few = y;
    few.stride = 12;
    CHECK(snn_conv_set(NULL, p.data) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_set(conv, NULL) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_forward_tiles(NULL, NULL, x, NULL, y) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_forward_tiles(conv, NULL, x, NULL, few) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_forward_tiles(conv, NULL, y, NULL, y) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_backward_input_tiles(conv, few, x, NULL, y) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_backward_weight_tiles(conv, y, x, NULL, NULL) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_update(NULL, NULL, NULL, NULL, NULL, NULL) == SNN_ERROR_ARGUMENT);
    CHECK(snn_conv_threads(NULL) == 0 && snn_conv_out_width(NULL) == 0);
    snn_conv_free(NULL);
    snn_conv_free(conv);
    void *all[] = {x.values, y.values, p.indptr, p.indices, p.data, p.bias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        snn_free(all[i]);
}

static long random_shapes;

static void tests(const snn_isa *isa)
{
    test_shapes(isa->name);
    test_infinities(isa->name);
    for (long i = 0; i < random_shapes && check_failures == 0; i++)
        test_random_shape(isa->name);
    test_arguments();
}

int main(int argc, char **argv)
{
    random_shapes = wanted_runs(argc, argv, 10);
    on_every_isa(tests);
    return check_report("test_train_conv");
}
