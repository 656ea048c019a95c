/* The three products of a training step on one CSR pattern.
 *
 * Samples are taken in tiles, gathered from the feature-major matrices into contiguous memory (rows of a
 * power of two of samples would fall on each other in L1). Forward and backward_input run the tile kernels on
 * two packings, of W and of its transpose, whose values are refreshed by permutation; the weight gradient
 * runs on the CSR arrays themselves. */
#include "kernel.h"
#include "memory.h"
#include "pack.h"
#include "status.h"
#include "threads.h"

#include <string.h>

/* One direction: a packing of W or of its transpose, and where each packed weight comes from. */
typedef struct direction {
    int64_t rows, cols;
    snn_packing *packing;
    int64_t *origin;     /* (packing entries) index into data, or -1 for padding */
    float *weights;      /* the packing's weights, all shares, one after another */
    float *no_bias;      /* (rows + shares) zeros */
    const snn_kernel *kernel;
} direction;

struct snn_sparse {
    const snn_isa *isa;
    int threads;
    int64_t rows, cols, nnz;
    int64_t *indptr;   /* (rows + 1) */
    int32_t *indices;  /* (nnz) */
    int64_t *bounds;   /* (threads + 1) rows of W, for the weight gradient */
    direction forward, backward;
    float *scratch;    /* tiles of x and y */
    size_t scratch_floats;
};

/* ---- making ---- */

/* The transpose's pattern, and for each of its weights the index of the same weight in the original. */
static int transpose_pattern(const snn_csr *csr, int64_t *indptr, int32_t *indices, int64_t *origin) {
    int64_t *next = snn_alloc((size_t)csr->cols, sizeof *next);
    if (!next) return 0;
    const int64_t nnz = csr->indptr[csr->rows];
    for (int64_t p = 0; p < nnz; p++) indptr[csr->indices[p] + 1]++;
    for (int64_t c = 0; c < csr->cols; c++) {
        indptr[c + 1] += indptr[c];
        next[c] = indptr[c];
    }
    for (int64_t row = 0; row < csr->rows; row++) {
        for (int64_t p = csr->indptr[row]; p < csr->indptr[row + 1]; p++) {
            const int64_t at = next[csr->indices[p]]++;
            indices[at] = (int32_t)row;
            origin[at] = p;
        }
    }
    snn_free(next);
    return 1;
}

/* Packs a pattern. Each packed weight's origin is found by packing row-unique stand-ins for the weights:
 * the position within the row, which a float holds exactly. */
static int make_direction(direction *d, const snn_sparse *sparse, const snn_csr *pattern, const int64_t *origin,
                          const snn_kernel *kernel) {
    const int64_t nnz = pattern->indptr[pattern->rows];
    float *position = snn_alloc((size_t)nnz, sizeof *position);
    int64_t *bounds = snn_alloc((size_t)sparse->threads + 1, sizeof *bounds);
    d->rows = pattern->rows;
    d->cols = pattern->cols;
    d->kernel = kernel;
    d->no_bias = snn_alloc((size_t)(pattern->rows + sparse->threads), sizeof *d->no_bias);
    if (position && bounds && d->no_bias) {
        for (int64_t row = 0; row < pattern->rows; row++)
            for (int64_t p = pattern->indptr[row]; p < pattern->indptr[row + 1]; p++)
                position[p] = (float)(p - pattern->indptr[row] + 1);
        const snn_csr stand_in = {pattern->rows, pattern->cols, pattern->indptr, pattern->indices, position};
        snn_split_rows(&stand_in, sparse->threads, bounds);
        const int64_t k_block = nnz * 8 > pattern->rows * pattern->cols ? 128 : 256;
        d->packing = snn_pack(&stand_in, sparse->isa, kernel, k_block, sparse->threads, bounds);
        d->origin = d->packing ? snn_alloc((size_t)d->packing->entries, sizeof *d->origin) : NULL;
    }
    snn_free(position);
    snn_free(bounds);
    if (!d->origin) return 0;
    d->weights = d->packing->memory;
    for (int share = 0; share < d->packing->share_count; share++) {
        const snn_csr_tile *tile = snn_share(d->packing, share);
        for (int64_t b = 0; b < tile->block_count; b++) {
            const snn_csr_block *block = &tile->blocks[b];
            const float *weights = block->weights;
            const int32_t *rows = block->rows;
            for (int64_t g = 0; g < block->group_count; g++)
                for (uint32_t panel = 0; panel < block->groups[g].panels; panel++, rows += kernel->shape)
                    for (uint32_t e = 0; e < block->groups[g].steps * (uint32_t)kernel->shape; e++, weights++) {
                        const int32_t row = rows[e % (uint32_t)kernel->shape];
                        int64_t from = -1;
                        if (*weights > 0.0f) {
                            from = pattern->indptr[row] + (int64_t)*weights - 1;
                            if (origin) from = origin[from];
                        }
                        d->origin[weights - d->weights] = from;
                    }
        }
    }
    return 1;
}

static void clear_direction(direction *d) {
    snn_packing_free(d->packing);
    snn_free(d->origin);
    snn_free(d->no_bias);
}

/* The widest CSR kernel of the tile layout that keeps x narrow enough: four vectors. */
static const snn_kernel *training_kernel(const snn_isa *isa) {
    const snn_kernel *best = NULL;
    for (int i = 0; i < isa->kernel_count; i++) {
        const snn_kernel *kernel = &isa->kernels[i];
        if (kernel->format != SNN_FORMAT_CSR || kernel->layout != SNN_LAYOUT_TILE) continue;
        if (kernel->samples != 4 * isa->lanes || kernel->index_bytes != 1) continue;
        if (!best || kernel->shape > best->shape) best = kernel;
    }
    return best;
}

snn_status snn_sparse_create(int64_t rows, int64_t cols, const int64_t *indptr, const int32_t *indices, int threads,
                             snn_sparse **out) {
    if (!out) return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    if (threads < 0 || threads > SNN_MAX_THREADS)
        return snn_fail(SNN_ERROR_ARGUMENT, "threads must be in [0, %d], got %d", SNN_MAX_THREADS, threads);
    snn_status status = snn_csr_check(rows, cols, indptr, indices);
    if (status) return status;
    const snn_isa *isa = NULL;
    status = snn_isa_find(NULL, &isa);
    if (status) return status;
    const int64_t nnz = indptr[rows];
    snn_sparse *s = snn_alloc(1, sizeof *s);
    int64_t *t_indptr = snn_alloc((size_t)cols + 1, sizeof *t_indptr), *t_origin = snn_alloc((size_t)nnz, sizeof *t_origin);
    int32_t *t_indices = snn_alloc((size_t)nnz, sizeof *t_indices);
    int ready = s && t_indptr && t_origin && t_indices;
    if (ready) {
        s->isa = isa;
        s->threads = threads ? threads : snn_threads_default();
        s->rows = rows;
        s->cols = cols;
        s->nnz = nnz;
        s->indptr = snn_alloc((size_t)rows + 1, sizeof *s->indptr);
        s->indices = snn_alloc((size_t)nnz, sizeof *s->indices);
        s->bounds = snn_alloc((size_t)s->threads + 1, sizeof *s->bounds);
        ready = s->indptr && s->indices && s->bounds;
    }
    if (ready) {
        memcpy(s->indptr, indptr, ((size_t)rows + 1) * sizeof *indptr);
        if (nnz) memcpy(s->indices, indices, (size_t)nnz * sizeof *indices);
        const snn_csr pattern = {rows, cols, s->indptr, s->indices, NULL};
        const snn_csr transposed = {cols, rows, t_indptr, t_indices, NULL};
        const snn_kernel *kernel = training_kernel(isa);
        snn_split_rows(&pattern, s->threads, s->bounds);
        ready = transpose_pattern(&pattern, t_indptr, t_indices, t_origin) &&
                make_direction(&s->forward, s, &pattern, NULL, kernel) &&
                make_direction(&s->backward, s, &transposed, t_origin, kernel);
    }
    snn_free(t_indptr);
    snn_free(t_origin);
    snn_free(t_indices);
    if (!ready) {
        snn_sparse_free(s);
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for a sparse pattern of %lld weights", (long long)nnz);
    }
    *out = s;
    return SNN_OK;
}

void snn_sparse_free(snn_sparse *sparse) {
    if (!sparse) return;
    clear_direction(&sparse->forward);
    clear_direction(&sparse->backward);
    snn_free(sparse->indptr);
    snn_free(sparse->indices);
    snn_free(sparse->bounds);
    snn_free(sparse->scratch);
    snn_free(sparse);
}

/* ---- running ---- */

/* Grows the scratch memory; it stays for the next call. Returns 0 when memory is out. */
static int reserve(snn_sparse *sparse, size_t floats) {
    if (floats <= sparse->scratch_floats) return 1;
    float *larger = snn_alloc(floats, sizeof *larger);
    if (!larger) return 0;
    snn_free(sparse->scratch);
    sparse->scratch = larger;
    sparse->scratch_floats = floats;
    return 1;
}

typedef struct product {
    snn_sparse *sparse;
    const direction *direction;
    const float *data, *bias, *x;
    float *y;
    int64_t batch;
} product;

/* Refreshes the packed values, then takes tiles of samples: a thread a tile, left-over tiles by rows. */
static void multiply(void *argument, int thread, int threads) {
    const product *p = argument;
    const direction *d = p->direction;
    const int64_t entries = d->packing->entries, width = d->kernel->samples;
    for (int64_t i = entries * thread / threads; i < entries * (thread + 1) / threads; i++)
        d->weights[i] = d->origin[i] < 0 ? 0.0f : p->data[d->origin[i]];
    snn_barrier();
    const size_t x_floats = (size_t)(d->cols * width), y_floats = (size_t)((d->rows + p->sparse->threads) * width);
    float *tile_x = p->sparse->scratch + (size_t)thread * (x_floats + y_floats), *tile_y = tile_x + x_floats;
    const snn_epilogue epilogue = {.bias = p->bias ? p->bias : d->no_bias, .activation = SNN_NODE_LINEAR};
    const int64_t tiles = (p->batch + width - 1) / width;
    for (int64_t t = thread; t < tiles; t += threads) {
        const int64_t first = t * width, samples = p->batch - first < width ? p->batch - first : width;
        for (int64_t k = 0; k < d->cols; k++) {
            memcpy(tile_x + k * width, p->x + k * p->batch + first, (size_t)samples * sizeof(float));
            if (samples < width) memset(tile_x + k * width + samples, 0, (size_t)(width - samples) * sizeof(float));
        }
        for (int share = 0; share < d->packing->share_count; share++)
            d->kernel->run(snn_share(d->packing, share), tile_x, tile_y, 0, &epilogue);
        for (int64_t r = 0; r < d->rows; r++)
            memcpy(p->y + r * p->batch + first, tile_y + r * width, (size_t)samples * sizeof(float));
    }
}

static snn_status run_product(snn_sparse *sparse, const direction *d, const float *data, const float *bias,
                              const float *x, int64_t batch, float *y) {
    if (batch < 0) return snn_fail(SNN_ERROR_ARGUMENT, "batch must be at least 0, got %lld", (long long)batch);
    if (batch == 0) return SNN_OK;
    if (!x || !y || (!data && sparse->nnz)) return snn_fail(SNN_ERROR_ARGUMENT, "data, x and y must not be NULL");
    const size_t width = (size_t)d->kernel->samples;
    const size_t rows = (size_t)d->rows + (size_t)sparse->threads;
    if (!reserve(sparse, (size_t)sparse->threads * ((size_t)d->cols + rows) * width))
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for tiles of %zu samples", width);
    product p = {sparse, d, data, bias, x, y, batch};
    if (bias) memcpy(d->no_bias, bias, (size_t)d->rows * sizeof *bias);  // kernels read past the end of bias
    p.bias = NULL;
    snn_parallel(sparse->threads, multiply, &p);
    if (bias) memset(d->no_bias, 0, (size_t)d->rows * sizeof *bias);
    return SNN_OK;
}

snn_status snn_sparse_forward(snn_sparse *sparse, const float *data, const float *bias, const float *x, int64_t batch,
                              float *y) {
    if (!sparse) return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    return run_product(sparse, &sparse->forward, data, bias, x, batch, y);
}

snn_status snn_sparse_backward_input(snn_sparse *sparse, const float *data, const float *dy, int64_t batch, float *dx) {
    if (!sparse) return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    return run_product(sparse, &sparse->backward, data, NULL, dy, batch, dx);
}

typedef struct gradient {
    snn_sparse *sparse;
    const float *dy, *x;
    float *ddata, *dbias;
    int64_t batch, stride;
    float *padded_dy, *padded_x;
} gradient;

/* Copies rows [first, last) of from (rows, batch) into to (rows, stride), zeros behind each row. */
static void pad_rows(const float *from, int64_t batch, float *to, int64_t stride, int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) {
        memcpy(to + row * stride, from + row * batch, (size_t)batch * sizeof(float));
        memset(to + row * stride + batch, 0, (size_t)(stride - batch) * sizeof(float));
    }
}

static void accumulate(void *argument, int thread, int threads) {
    const gradient *g = argument;
    const snn_sparse *s = g->sparse;
    const int64_t samples = (g->batch + s->isa->lanes - 1) / s->isa->lanes * s->isa->lanes;
    pad_rows(g->dy, g->batch, g->padded_dy, g->stride, s->rows * thread / threads, s->rows * (thread + 1) / threads);
    pad_rows(g->x, g->batch, g->padded_x, g->stride, s->cols * thread / threads, s->cols * (thread + 1) / threads);
    snn_barrier();
    for (int share = thread; share < s->threads; share += threads) {
        const int64_t first = s->bounds[share], last = s->bounds[share + 1];
        if (first == last) continue;
        const int64_t begin = s->indptr[first], end = s->indptr[last];
        if (end > begin) memset(g->ddata + begin, 0, (size_t)(end - begin) * sizeof(float));
        s->isa->sampled(s->indptr, s->indices, first, last, g->padded_dy, g->padded_x, g->stride, samples, g->ddata);
        if (g->dbias) s->isa->row_sums(g->padded_dy, g->stride, samples, first, last, g->dbias);
    }
}

snn_status snn_sparse_backward_weight(snn_sparse *sparse, const float *dy, const float *x, int64_t batch, float *ddata,
                                      float *dbias) {
    if (!sparse) return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    if (batch < 0) return snn_fail(SNN_ERROR_ARGUMENT, "batch must be at least 0, got %lld", (long long)batch);
    if ((batch && (!dy || !x)) || (!ddata && sparse->nnz))
        return snn_fail(SNN_ERROR_ARGUMENT, "dy, x and ddata must not be NULL");
    const int64_t lanes = sparse->isa->lanes;
    // An odd number of vectors a row keeps rows apart in L1 when the batch is a power of two.
    const int64_t stride = ((batch + lanes - 1) / lanes | 1) * lanes;
    if (!reserve(sparse, (size_t)(sparse->rows + sparse->cols) * (size_t)stride))
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for a batch of %lld", (long long)batch);
    gradient g = {sparse, dy, x, ddata, dbias, batch, stride, sparse->scratch,
                  sparse->scratch + sparse->rows * stride};
    snn_parallel(sparse->threads, accumulate, &g);
    return SNN_OK;
}
