/* The three products of a training step on matrices: cut into tiles, multiplied (tiles.c, gradient.c), put
 * back. */
#include "base/memory.h"
#include "base/status.h"
#include "base/threads.h"
#include "train/train.h"

#include <string.h>

/* The shape of tiles for a matrix of so many features. */
static snn_tiles tiles_for(const snn_sparse *s, int64_t batch, int64_t features)
{
    const int64_t width = s->forward.kernel->samples;
    return (snn_tiles){NULL, (batch + width - 1) / width, features + s->threads};
}

float *snn_sparse_scratch(snn_sparse *s, size_t floats)
{
    if (!s->scratch || floats > s->scratch_floats) {
        float *larger = snn_alloc(floats ? floats : 1, sizeof *larger);
        if (!larger)
            return NULL;
        snn_free(s->scratch);
        s->scratch = larger;
        s->scratch_floats = floats;
    }
    return s->scratch;
}

/* Tiles of rows and of cols features, as one block of scratch memory. Returns 0 when memory is out. */
static int reserve(snn_sparse *s, int64_t batch, snn_tiles *of_rows, snn_tiles *of_cols)
{
    const size_t width = (size_t)s->forward.kernel->samples;
    *of_rows = tiles_for(s, batch, s->rows);
    *of_cols = tiles_for(s, batch, s->cols);
    const size_t row_floats = (size_t)of_rows->stride * width * (size_t)of_rows->count;
    const size_t floats = row_floats + (size_t)of_cols->stride * width * (size_t)of_cols->count;
    float *scratch = snn_sparse_scratch(s, floats);
    if (!scratch)
        return 0;
    of_rows->values = scratch;
    of_cols->values = scratch + row_floats;
    return 1;
}

typedef struct copying {
    const snn_isa *isa;
    float *matrix; /* (features, batch), or (batch, features) */
    snn_order order;
    int64_t features, batch, width;
    snn_tiles tiles;
    int back; /* from the tiles into the matrix */
} copying;

/* Features [from, to) of a tile of samples first, first + 1, ... */
static void copy_rows(const copying *c, int64_t first, int64_t samples, float *tile, int64_t from, int64_t to)
{
    for (int64_t k = from; k < to; k++) {
        float *row = c->matrix + k * c->batch + first, *of_tile = tile + k * c->width;
        memcpy(c->back ? row : of_tile, c->back ? of_tile : row, (size_t)samples * sizeof(float));
        if (!c->back && samples < c->width)
            memset(of_tile + samples, 0, (size_t)(c->width - samples) * sizeof(float));
    }
}

static void copy_turned(const copying *c, int64_t first, int64_t samples, float *tile, int64_t from,
                        int64_t to)
{
    float *rows = c->matrix + first * c->features + from, *of_tile = tile + from * c->width;
    if (c->back)
        c->isa->transpose(of_tile, c->width, rows, c->features, to - from, samples, to - from);
    else
        c->isa->transpose(rows, c->features, of_tile, c->width, samples, to - from, c->width);
}

static void copy(void *argument, int thread, int threads)
{
    const copying *c = argument;
    const int64_t from = c->features * thread / threads, to = c->features * (thread + 1) / threads;
    for (int64_t t = 0; t < c->tiles.count && from < to; t++) {
        const int64_t first = t * c->width,
                      samples = c->batch - first < c->width ? c->batch - first : c->width;
        float *tile = c->tiles.values + t * c->tiles.stride * c->width;
        SNN_PAUSE();
        (c->order == SNN_SAMPLES_FIRST ? copy_turned : copy_rows)(c, first, samples, tile, from, to);
    }
}

static void cut(const snn_sparse *s, const float *matrix, snn_order order, int64_t features, int64_t batch,
                snn_tiles tiles)
{
    float *source = (float *)(uintptr_t)matrix; // read alone
    copying c = {s->isa, source, order, features, batch, s->forward.kernel->samples, tiles, 0};
    snn_parallel(s->threads, copy, &c);
}

static void join(const snn_sparse *s, snn_tiles tiles, snn_order order, int64_t features, int64_t batch,
                 float *matrix)
{
    copying c = {s->isa, matrix, order, features, batch, s->forward.kernel->samples, tiles, 1};
    snn_parallel(s->threads, copy, &c);
}

static snn_status check(const snn_sparse *sparse, snn_order order, int64_t batch)
{
    if (!sparse)
        return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    if (order != SNN_SAMPLES_FIRST && order != SNN_FEATURES_FIRST)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "order must be SNN_SAMPLES_FIRST (0) or SNN_FEATURES_FIRST (1), got %d", (int)order);
    if (batch < 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "batch must be at least 0, got %lld", (long long)batch);
    return SNN_OK;
}

static snn_status no_memory(int64_t batch)
{
    return snn_fail(SNN_ERROR_MEMORY, "out of memory for a batch of %lld", (long long)batch);
}

snn_status snn_sparse_forward_ordered(snn_sparse *sparse, snn_order order, const float *data,
                                      const float *bias, const float *x, int64_t batch, float *y)
{
    snn_status status = check(sparse, order, batch);
    if (status || batch == 0)
        return status;
    if (!x || !y || (!data && sparse->nnz))
        return snn_fail(SNN_ERROR_ARGUMENT, "data, x and y must not be NULL");
    snn_tiles rows, cols;
    if (!reserve(sparse, batch, &rows, &cols))
        return no_memory(batch);
    cut(sparse, x, order, sparse->cols, batch, cols);
    status = snn_sparse_set(sparse, data);
    if (!status)
        status = snn_sparse_forward_tiles(sparse, bias, cols, NULL, rows);
    if (!status)
        join(sparse, rows, order, sparse->rows, batch, y);
    return status;
}

snn_status snn_sparse_backward_input_ordered(snn_sparse *sparse, snn_order order, const float *data,
                                             const float *dy, int64_t batch, float *dx)
{
    snn_status status = check(sparse, order, batch);
    if (status || batch == 0)
        return status;
    if (!dy || !dx || (!data && sparse->nnz))
        return snn_fail(SNN_ERROR_ARGUMENT, "data, dy and dx must not be NULL");
    snn_tiles rows, cols;
    if (!reserve(sparse, batch, &rows, &cols))
        return no_memory(batch);
    cut(sparse, dy, order, sparse->rows, batch, rows);
    status = snn_sparse_set(sparse, data);
    if (!status)
        status = snn_sparse_backward_input_tiles(sparse, rows, cols, NULL, cols);
    if (!status)
        join(sparse, cols, order, sparse->cols, batch, dx);
    return status;
}

snn_status snn_sparse_backward_weight_ordered(snn_sparse *sparse, snn_order order, const float *dy,
                                              const float *x, int64_t batch, float *ddata, float *dbias)
{
    const snn_status status = check(sparse, order, batch);
    if (status)
        return status;
    if ((batch && (!dy || !x)) || (!ddata && sparse->nnz))
        return snn_fail(SNN_ERROR_ARGUMENT, "dy, x and ddata must not be NULL");
    snn_tiles rows, cols;
    if (!reserve(sparse, batch, &rows, &cols))
        return no_memory(batch);
    if (batch)
        cut(sparse, dy, order, sparse->rows, batch, rows);
    if (batch)
        cut(sparse, x, order, sparse->cols, batch, cols);
    return snn_sparse_backward_weight_tiles(sparse, rows, cols, ddata, dbias);
}

snn_status snn_sparse_forward(snn_sparse *sparse, const float *data, const float *bias, const float *x,
                              int64_t batch, float *y)
{
    return snn_sparse_forward_ordered(sparse, SNN_FEATURES_FIRST, data, bias, x, batch, y);
}

snn_status snn_sparse_backward_input(snn_sparse *sparse, const float *data, const float *dy, int64_t batch,
                                     float *dx)
{
    return snn_sparse_backward_input_ordered(sparse, SNN_FEATURES_FIRST, data, dy, batch, dx);
}

snn_status snn_sparse_backward_weight(snn_sparse *sparse, const float *dy, const float *x, int64_t batch,
                                      float *ddata, float *dbias)
{
    return snn_sparse_backward_weight_ordered(sparse, SNN_FEATURES_FIRST, dy, x, batch, ddata, dbias);
}
