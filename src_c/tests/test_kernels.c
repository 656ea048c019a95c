/* Every kernel of kernels.def on every ISA that this machine can run, against a double-precision product.
 *
 * Shapes break tiles and panels: 1, one less and one more than a vector, primes, empty rows, all pruned.
 * The bound is that of a sum of n products in any order: (n + 2) eps (|W||x| + |b|), plus what the
 * activation's own error adds. */
#include "check.h"

#include "base/cpu.h"
#include "kernels/kernel.h"
#include "base/memory.h"
#include "pack/pack.h"

#include <float.h>
#include <math.h>
#include <string.h>

static uint64_t state = 88172645463325252u;
static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0;
}

typedef struct layer {
    snn_csr csr;
    int64_t *indptr;
    int32_t *indices;
    float *data, *bias;
} layer;

/* shared: rows that share their columns; 1: none, 4: rows 4 i to 4 i + 3, -4: rows that are equal modulo 4.
 */
static layer make_layer(int64_t rows, int64_t cols, double sparsity, int shared)
{
    layer l = {.indptr = snn_alloc((size_t)rows + 1, sizeof(int64_t)),
               .indices = snn_alloc((size_t)(rows * cols), sizeof(int32_t)),
               .data = snn_alloc((size_t)(rows * cols), sizeof(float)),
               .bias = snn_alloc((size_t)rows + 64, sizeof(float))};
    int64_t at = 0;
    for (int64_t r = 0; r < rows; r++) {
        const int empty = rows > 2 && shared == 1 && r % 7 == 3; // some rows have no weight at all
        uint64_t kept = state;
        if (shared != 1)
            state = (uint64_t)(shared > 0 ? r / shared : r % -shared) * 2654435761u + 88172645463325252u;
        for (int64_t c = 0; c < cols; c++) {
            if (empty || uniform() < sparsity)
                continue;
            if (shared != 1) {
                l.indices[at] = (int32_t)c;
                l.data[at++] = (float)sin((double)(r + 1) * (double)(c + 3));
                continue;
            }
            l.indices[at] = (int32_t)c;
            l.data[at++] = (float)(uniform() - 0.5);
        }
        if (shared != 1)
            state = kept;
        l.indptr[r + 1] = at;
        l.bias[r] = (float)(uniform() - 0.5);
    }
    l.csr = (snn_csr){rows, cols, l.indptr, l.indices, l.data};
    return l;
}

static void free_layer(layer *l)
{
    snn_free(l->indptr);
    snn_free(l->indices);
    snn_free(l->data);
    snn_free(l->bias);
}

static double activation(double v, const snn_epilogue *e)
{
    switch (e->activation) {
    case SNN_NODE_RELU: return v > 0 ? v : 0;
    case SNN_NODE_CLIP: return v < e->low ? e->low : v > e->high ? e->high : v;
    case SNN_NODE_TANH: return tanh(v);
    case SNN_NODE_SIGMOID: return 1 / (1 + exp(-v));
    case SNN_NODE_GELU: return 0.5 * v * (1 + erf(v / sqrt(2)));
    case SNN_NODE_ELU: return v > 0 ? v : e->low * expm1(v);
    default: return v;
    }
}

/* The steepest slope of an activation, and the error of the vector version in eps. */
static double slope(snn_node_type type) { return type == SNN_NODE_GELU ? 1.13 : 1.0; }
static double own_error(snn_node_type type, double v)
{
    return type == SNN_NODE_TANH || type == SNN_NODE_SIGMOID || type == SNN_NODE_ELU ? 4.0
           : type == SNN_NODE_GELU                                                   ? 8.0 * fmax(fabs(v), 1)
                                                                                     : 0.0;
}

static int64_t compared;

static void compare(const snn_isa *isa, const snn_kernel *kernel, const layer *l, snn_node_type type,
                    int64_t k_block, int shares)
{
    const int64_t rows = l->csr.rows, cols = l->csr.cols;
    const int n = kernel->samples;
    int64_t bounds[8];
    snn_split_rows(&l->csr, shares, bounds);
    snn_packing *packing = snn_pack(&l->csr, isa, kernel, k_block, shares, bounds);
    CHECK(packing != NULL);
    const int64_t x_stride = snn_column_stride(cols);
    float *x = snn_alloc((size_t)(x_stride * n), sizeof *x),
          *y = snn_alloc((size_t)((rows + shares) * n), sizeof *y);
    for (int64_t i = 0; i < x_stride * n; i++)
        x[i] = (float)(2 * uniform() - 1);
    for (int64_t i = 0; i < (rows + shares) * n; i++)
        y[i] = NAN; // every value must be written
    const snn_epilogue e = {
        .bias = l->bias, .activation = type, .low = type == SNN_NODE_ELU ? 0.75f : -0.25f, .high = 0.5f};
    for (int s = 0; s < shares; s++)
        kernel->run(snn_share(packing, s), x, y, rows, &e);
    const int tile = kernel->layout == SNN_LAYOUT_TILE;
    for (int64_t r = 0; r < rows; r++) {
        for (int s = 0; s < n; s++) {
            double sum = l->bias[r], size = fabs(sum);
            for (int64_t p = l->indptr[r]; p < l->indptr[r + 1]; p++) {
                const int64_t k = l->indices[p];
                const double product = (double)l->data[p] * x[tile ? k * n + s : s * x_stride + k];
                sum += product;
                size += fabs(product);
            }
            const double wanted = activation(sum, &e), got = y[tile ? r * n + s : s * rows + r];
            // A packing adds zeros; a term of the sum may round twice (scalar), a zero changes nothing.
            const double count = (double)(l->indptr[r + 1] - l->indptr[r]) + 2;
            const double bound = FLT_EPSILON * (count * size * slope(type) + own_error(type, sum));
            if (!(fabs(got - wanted) <= bound)) {
                printf("%s_%s rows %lld cols %lld k_block %lld shares %d activation %d: y[%lld][%d] = %.9g, "
                       "wanted %.9g, bound %.3g\n",
                       kernel->name, isa->name, (long long)rows, (long long)cols, (long long)k_block, shares,
                       (int)type, (long long)r, s, got, wanted, bound);
                CHECK(!"within the bound");
                r = rows;
                break;
            }
            compared++;
        }
    }
    snn_packing_free(packing);
    snn_free(x);
    snn_free(y);
}

static void test_isa(const snn_isa *isa)
{
    static const int64_t shapes[][2] = {{1, 1},    {1, 64},   {2, 3},    {15, 17},  {16, 16},
                                        {17, 63},  {31, 65},  {33, 64},  {64, 127}, {65, 128},
                                        {10, 257}, {97, 300}, {130, 71}, {7, 521}};
    static const double sparsities[] = {0.0, 0.5, 0.9, 1.0};
    static const snn_node_type types[] = {SNN_NODE_LINEAR,  SNN_NODE_RELU, SNN_NODE_CLIP, SNN_NODE_TANH,
                                          SNN_NODE_SIGMOID, SNN_NODE_GELU, SNN_NODE_ELU};
    static const int64_t k_blocks[] = {64, 256, 1, 100}; // the last two make blocks of one and of odd sizes
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (size_t j = 0; j < sizeof sparsities / sizeof *sparsities; j++) {
            layer l = make_layer(shapes[i][0], shapes[i][1], sparsities[j],
                                 i % 3 == 0   ? 1
                                 : i % 3 == 1 ? 4
                                              : -4);
            for (int k = 0; k < isa->kernel_count; k++) {
                const snn_kernel *kernel = &isa->kernels[k];
                const int blocked = kernel->format != SNN_FORMAT_DENSE && kernel->layout == SNN_LAYOUT_TILE;
                compare(isa, kernel, &l, types[(i + j + (size_t)k) % 7], k_blocks[(i + j) % 4], 1);
                compare(isa, kernel, &l, SNN_NODE_RELU, 64, 3);
                for (int b = 0; blocked && i % 4 == 0 && b < 4; b++)
                    compare(isa, kernel, &l, SNN_NODE_LINEAR, k_blocks[b], 2);
            }
            free_layer(&l);
        }
    }
}

/* transpose and copy of (rows, cols), against the obvious loops; what lies between rows stays. Transposed
 * rows are filled up with some zeros. */
static void test_moves(const snn_isa *isa, int64_t rows, int64_t cols, int64_t from_stride, int64_t gap)
{
    static float from[70 * 80], turned[70 * 80], copied[70 * 80];
    const int64_t turned_stride = rows + gap, copied_stride = cols + gap;
    for (int i = 0; i < 70 * 80; i++)
        from[i] = (float)i, turned[i] = copied[i] = -1;
    const int64_t height = rows + gap / 2;
    CHECK(!isa->transpose(from, from_stride, turned, turned_stride, rows, cols, height));
    isa->copy(from, from_stride, copied, copied_stride, rows, cols);
    for (int64_t i = 0; i < 70 * 80; i++) {
        const int64_t c = i / turned_stride, r = i % turned_stride;
        const float filled = r < rows ? (float)(r * from_stride + c) : 0.0f;
        CHECK(turned[i] == (c < cols && r < height ? filled : -1.0f));
        const int64_t row = i / copied_stride, col = i % copied_stride;
        CHECK(copied[i] == (row < rows && col < cols ? (float)(row * from_stride + col) : -1.0f));
    }
    for (int64_t r = 0; r < rows; r++) { // a NaN is found anywhere among them, and nowhere else
        const int64_t places[] = {r * from_stride, r * from_stride + cols - 1, r * from_stride + cols};
        for (int i = 0; i < 3; i++) {
            const float kept = from[places[i]];
            from[places[i]] = NAN;
            CHECK(isa->transpose(from, from_stride, turned, turned_stride, rows, cols, height) ==
                  (i < 2 || cols == from_stride ? i < 2 || r + 1 < rows : 0));
            from[places[i]] = kept;
        }
    }
}

/* A softmax in both layouts, against the obvious loops. */
static void test_softmax(const snn_isa *isa)
{
    enum { features = 37 };
    const int samples = 2 * isa->lanes;
    float tile[features * 32], out[features * 32], one[features], one_out[features];
    for (int i = 0; i < features * samples; i++)
        tile[i] = (float)(20 * uniform() - 10);
    isa->softmax_tile(0, tile, out, features, samples, samples);
    for (int s = 0; s < samples; s++) {
        double top = -INFINITY, sum = 0;
        for (int k = 0; k < features; k++)
            top = fmax(top, one[k] = tile[k * samples + s]);
        for (int k = 0; k < features; k++)
            sum += exp(one[k] - top);
        isa->softmax_column(0, one, one_out, features);
        for (int k = 0; k < features; k++) {
            const double wanted = exp(one[k] - top) / sum,
                         bound = (features + 30) * FLT_EPSILON * wanted + FLT_MIN;
            CHECK(fabs(out[k * samples + s] - wanted) <= bound);
            CHECK(fabs(one_out[k] - wanted) <= bound);
        }
    }
}

/* Columns at random; the others are NaN, and nothing is written behind the last. */
static void test_bits(const snn_isa *isa, int vectors)
{
    enum { ROWS = 5, MOST = 64 };
    const int columns = vectors * isa->lanes;
    float from[ROWS * MOST], to[ROWS * (MOST + 1)];
    const uint64_t bits = (uint64_t)(uniform() * 0x1p52) << 12 ^ (uint64_t)(uniform() * 0x1p52);
    for (int i = 0; i < ROWS * columns; i++)
        from[i] = bits >> i % columns & 1 ? (float)uniform() + 1.0f : NAN;
    for (int i = 0; i < ROWS * (columns + 1); i++)
        to[i] = -1.0f;
    isa->copy_bits(from, columns, to, columns + 1, ROWS, columns, bits);
    for (int r = 0; r < ROWS; r++) {
        for (int c = 0; c < columns; c++)
            CHECK(to[r * (columns + 1) + c] == (bits >> c & 1 ? from[r * columns + c] : 0.0f));
        CHECK(to[r * (columns + 1) + columns] == -1.0f);
    }
}

int main(void)
{
    for (int i = 0; snn_isa_table()[i]; i++) {
        const snn_isa *isa = snn_isa_table()[i];
        if (!snn_cpu_supports(isa->name)) {
            printf("skipped: %s, which this processor does not support\n", isa->name);
            continue;
        }
        compared = 0;
        test_isa(isa);
        test_softmax(isa);
        for (int i = 0; isa->copy_bits && i < 100; i++)
            test_bits(isa, 1 + i % 4);
        for (int rows = 1; rows <= 70; rows += rows < 20 ? 1 : 7) {
            for (int cols = 1; cols <= 70; cols += cols < 20 ? 1 : 7) {
                test_moves(isa, rows, cols, cols, 0);
                test_moves(isa, rows, cols, 75, 3);
            }
        }
        printf("%s: %d kernels, %lld values compared\n", isa->name, isa->kernel_count, (long long)compared);
    }
    return check_report("test_kernels");
}
