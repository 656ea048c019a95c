/* The weight gradient of a pattern: a thread owns shares of rows and adds up tile after tile, and in each
 * step after step, so that how many threads there are changes no bit. */
#include "base/status.h"
#include "base/threads.h"
#include "train/train.h"

#include <string.h>

typedef struct gradient {
    const snn_sparse *sparse;
    int64_t tiles, steps, first_row, end_row;
    snn_series dy, x;
    float *ddata;
} gradient;

static void accumulate(void *argument, int thread, int threads)
{
    const gradient *g = argument;
    const snn_sparse *s = g->sparse;
    const snn_direction *d = &s->forward;
    for (int share = thread; share < d->packing->share_count; share += threads) {
        const snn_csr_tile *packed = snn_share(d->packing, share);
        const int64_t first = snn_max(d->bounds[share], g->first_row),
                      end = snn_min(d->bounds[share + 1], g->end_row);
        if (!packed->block_count || first >= end)
            continue;
        const ptrdiff_t before = packed->blocks[0].weights - d->weights;
        float *spare = s->gradient + (size_t)share * (size_t)s->isa->lanes; // as many behind each share
        for (int64_t t = 0; t < g->tiles; t++)
            for (int64_t i = 0; i < g->steps; i++) {
                SNN_PAUSE();
                s->isa->sampled(packed, snn_series_at(g->x, t, i), snn_series_at(g->dy, t, i), spare + before,
                                s->dbias, t == 0 && i == 0);
            }
        for (int64_t p = s->indptr[first]; p < s->indptr[end]; p++)
            g->ddata[p] = spare[d->position[p]];
    }
}

void snn_sparse_gradient(snn_sparse *sparse, int64_t tiles, int64_t steps, snn_series dy, snn_series x,
                         int64_t first_row, int64_t end_row, float *ddata)
{
    gradient g = {sparse, tiles, steps, first_row, end_row, dy, x, ddata};
    const int64_t first = sparse->indptr[first_row], last = sparse->indptr[end_row];
    if (tiles && steps) {
        snn_parallel(sparse->threads, accumulate, &g);
    } else {
        memset(sparse->dbias, 0, (size_t)sparse->rows * sizeof *sparse->dbias);
        if (last > first)
            memset(ddata + first, 0, (size_t)(last - first) * sizeof *ddata);
    }
}

snn_status snn_sparse_backward_weight_tiles(snn_sparse *sparse, snn_tiles dy, snn_tiles x, float *ddata,
                                            float *dbias)
{
    if (!sparse)
        return snn_fail(SNN_ERROR_ARGUMENT, "sparse must not be NULL");
    if (!ddata && sparse->nnz)
        return snn_fail(SNN_ERROR_ARGUMENT, "ddata must not be NULL");
    snn_status status = snn_check_tiles("dy", dy, dy.count, sparse->rows, sparse->threads);
    if (!status)
        status = snn_check_tiles("x", x, dy.count, sparse->cols, 0);
    if (status)
        return status;
    const int64_t width = sparse->forward.kernel->samples;
    snn_sparse_gradient(sparse, dy.count, 1, (snn_series){dy.values, dy.stride * width, 0},
                        (snn_series){x.values, x.stride * width, 0}, 0, sparse->rows, ddata);
    if (dbias)
        memcpy(dbias, sparse->dbias, (size_t)sparse->rows * sizeof *dbias);
    return SNN_OK;
}
