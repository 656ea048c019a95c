/* Rows of a table in training, on tiles. On the way back a thread owns some of the features: a row gets what
 * its places hand back in their order, whatever the number of threads. */
#include "base/minmax.h"
#include "base/status.h"
#include "base/threads.h"
#include "train/train.h"

#include <inttypes.h>
#include <string.h>

typedef struct looking {
    const snn_isa *isa;
    const snn_embedding *e;
    int64_t samples;
    const float *table;
    snn_tiles ids, y; /* y: its gradient on the way back */
    float *dtable;
} looking;

/* The row that an id means; -1: none. */
static int64_t row_of(const looking *l, float id)
{
    const float count = (float)l->e->rows;
    if (!(id >= -count && id < count) || id != (float)(int64_t)id)
        return -1;
    return (int64_t)id + (id < 0.0f ? l->e->rows : 0);
}

static const float *ids_of(const looking *l, int64_t i)
{
    return snn_tile_of(l->ids, i / l->e->places, l->samples) + i % l->e->places * l->samples;
}

/* So many features at a time. */
enum { BLOCK = 64, MOST_SAMPLES = 64 };

static void forward(void *argument, int thread, int threads)
{
    const looking *l = argument;
    const int64_t features = l->e->features, work = l->ids.count * l->e->places;
    float rows[MOST_SAMPLES * BLOCK];
    for (int64_t i = work * thread / threads; i < work * (thread + 1) / threads; i++) {
        const float *ids = ids_of(l, i);
        float *y = snn_tile_of(l->y, i / l->e->places, l->samples) + i % l->e->places * features * l->samples;
        SNN_PAUSE();
        for (int64_t f = 0; f < features; f += BLOCK) {
            const int64_t count = snn_min(BLOCK, features - f);
            for (int64_t s = 0; s < l->samples; s++)
                memcpy(rows + s * BLOCK, l->table + row_of(l, ids[s]) * features + f,
                       (size_t)count * sizeof *rows);
            l->isa->transpose(rows, BLOCK, y + f * l->samples, l->samples, l->samples, count, l->samples);
        }
    }
}

static void backward(void *argument, int thread, int threads)
{
    const looking *l = argument;
    const int64_t features = l->e->features, work = l->ids.count * l->e->places;
    const int64_t blocks = (features + BLOCK - 1) / BLOCK;
    float rows[MOST_SAMPLES * BLOCK];
    for (int64_t b = blocks * thread / threads; b < blocks * (thread + 1) / threads; b++) {
        const int64_t f = b * BLOCK, count = snn_min(BLOCK, features - f);
        SNN_PAUSE();
        for (int64_t i = 0; i < work; i++) {
            const int64_t tile = i / l->e->places;
            const int64_t used = snn_min(l->e->batch - tile * l->samples, l->samples);
            const float *ids = ids_of(l, i);
            const float *dy =
                snn_tile_of(l->y, tile, l->samples) + (i % l->e->places * features + f) * l->samples;
            l->isa->transpose(dy, l->samples, rows, BLOCK, count, l->samples, BLOCK);
            for (int64_t s = 0; s < used; s++)
                l->isa->scaled_add(1.0f, rows + s * BLOCK, l->dtable + row_of(l, ids[s]) * features + f,
                                   count);
        }
    }
}

static snn_status begin(const char *isa_name, const snn_embedding *e, snn_tiles ids, snn_tiles y, looking *l)
{
    if (!e)
        return snn_fail(SNN_ERROR_ARGUMENT, "embedding must not be NULL");
    snn_status status = snn_isa_find(isa_name, &l->isa);
    if (status)
        return status;
    l->samples = 4 * l->isa->lanes;
    const int64_t most = (int64_t)1 << 30;
    if (e->rows < 1 || e->rows >= 1 << 24 || e->features < 1 || e->features >= most || e->places < 1 ||
        e->places >= most || e->batch < 1 || e->threads < 0 || e->threads > SNN_MAX_THREADS)
        return snn_fail(SNN_ERROR_ARGUMENT, "sizes and threads of an embedding must be in range");
    l->e = e;
    l->ids = ids;
    l->y = y;
    const int64_t count = (e->batch + l->samples - 1) / l->samples;
    status = snn_check_tiles("ids", ids, count, e->places, 0);
    if (!status)
        status = snn_check_tiles("y", y, count, e->places * e->features, 0);
    for (int64_t i = 0; !status && i < count * e->places; i++)
        for (int64_t s = 0; s < l->samples; s++)
            if (row_of(l, ids_of(l, i)[s]) < 0)
                return snn_fail(SNN_ERROR_ARGUMENT,
                                "numbers of an embedding must be whole, from %" PRId64 " to %" PRId64
                                ", got %g",
                                -e->rows, e->rows - 1, (double)ids_of(l, i)[s]);
    return status;
}

static int threads_of(const snn_embedding *e) { return e->threads ? e->threads : snn_threads_default(); }

snn_status snn_embedding_forward_tiles(const char *isa, const snn_embedding *embedding, const float *table,
                                       snn_tiles ids, snn_tiles y)
{
    looking l = {.table = table};
    snn_status status = begin(isa, embedding, ids, y, &l);
    if (!status && !table)
        status = snn_fail(SNN_ERROR_ARGUMENT, "table must not be NULL");
    if (!status)
        snn_parallel(threads_of(embedding), forward, &l);
    return status;
}

snn_status snn_embedding_backward_tiles(const char *isa, const snn_embedding *embedding, snn_tiles ids,
                                        snn_tiles dy, float *dtable)
{
    looking l = {.dtable = dtable};
    snn_status status = begin(isa, embedding, ids, dy, &l);
    if (!status && !dtable)
        status = snn_fail(SNN_ERROR_ARGUMENT, "dtable must not be NULL");
    if (status)
        return status;
    memset(dtable, 0, (size_t)(embedding->rows * embedding->features) * sizeof *dtable);
    snn_parallel(threads_of(embedding), backward, &l);
    return SNN_OK;
}
