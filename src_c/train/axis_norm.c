/* Layer and root-mean-square normalisation in training, on tiles. Gradients of scale and shift are added up
 * in parts of tiles and positions, which threads share, and then in the order of the parts: how many threads
 * there are changes no bit. */
#include "base/memory.h"
#include "base/minmax.h"
#include "base/status.h"
#include "base/threads.h"
#include "train/train.h"

#include <inttypes.h>
#include <string.h>

enum { PARTS = 16 };

typedef struct norming {
    const snn_isa *isa;
    const snn_channels *n;
    snn_axis_norm norm;
    snn_tiles x, y, dy, dx;
    int64_t parts;
    float *sums; /* (parts, 2, channels, lanes) */
} norming;

static int64_t positions_of(const norming *t) { return t->n->outer * t->n->inner; }

/* Floats from the beginning of a tile to a position. */
static int64_t offset_of(const norming *t, int64_t position)
{
    const snn_channels *n = t->n;
    return (position / n->inner * n->channels * n->inner + position % n->inner) * n->samples;
}

/* Columns of a tile that hold samples, in whole vectors. */
static int64_t used_of(const norming *t, int64_t tile)
{
    const int64_t left = snn_min(t->n->batch - tile * t->n->samples, t->n->samples), lanes = t->isa->lanes;
    return (left + lanes - 1) / lanes * lanes;
}

/* Zeros where no sample is. */
static void clear_rest(const norming *t, float *y, int64_t used)
{
    const int64_t samples = t->n->samples;
    for (int64_t c = 0; used < samples && c < t->n->channels; c++)
        memset(y + c * t->n->inner * samples + used, 0, (size_t)(samples - used) * sizeof *y);
}

static void forward(void *argument, int thread, int threads)
{
    const norming *t = argument;
    const int64_t positions = positions_of(t), work = t->x.count * positions, width = t->n->samples;
    for (int64_t i = work * thread / threads; i < work * (thread + 1) / threads; i++) {
        const int64_t tile = i / positions, at = offset_of(t, i % positions), used = used_of(t, tile);
        float *y = snn_tile_of(t->y, tile, width) + at;
        SNN_PAUSE();
        t->isa->axis_norm(&t->norm, snn_tile_of(t->x, tile, width) + at, y, used, t->n->inner * width);
        clear_rest(t, y, used);
    }
}

static void backward(void *argument, int thread, int threads)
{
    const norming *t = argument;
    const int64_t positions = positions_of(t), work = t->x.count * positions, width = t->n->samples;
    for (int64_t part = t->parts * thread / threads; part < t->parts * (thread + 1) / threads; part++) {
        float *sums = t->sums + part * 2 * t->n->channels * t->isa->lanes;
        SNN_PAUSE();
        for (int64_t i = work * part / t->parts; i < work * (part + 1) / t->parts; i++) {
            const int64_t tile = i / positions, at = offset_of(t, i % positions), used = used_of(t, tile);
            float *dx = t->dx.values ? snn_tile_of(t->dx, tile, width) + at : NULL;
            t->isa->axis_norm_back(&t->norm, snn_tile_of(t->x, tile, width) + at,
                                   snn_tile_of(t->dy, tile, width) + at, dx, used, t->n->inner * width, sums,
                                   sums + t->n->channels * t->isa->lanes);
            if (dx)
                clear_rest(t, dx, used);
        }
    }
}

static snn_status check(const norming *t, const char *name, snn_tiles tiles)
{
    const snn_channels *n = t->n;
    return snn_check_tiles(name, tiles, (n->batch + n->samples - 1) / n->samples,
                           n->outer * n->channels * n->inner, 0);
}

static snn_status begin(const char *isa_name, const snn_channels *n, float epsilon, const float *scale,
                        const float *shift, snn_tiles x, norming *t)
{
    if (!n || !scale)
        return snn_fail(SNN_ERROR_ARGUMENT, "channels and scale must not be NULL");
    snn_status status = snn_isa_find(isa_name, &t->isa);
    if (status)
        return status;
    if (n->outer < 1 || n->channels < 1 || n->inner < 1 || n->batch < 1 || n->threads < 0 ||
        n->threads > SNN_MAX_THREADS || n->samples != 4 * t->isa->lanes || !(epsilon >= 0.0f))
        return snn_fail(SNN_ERROR_ARGUMENT, "sizes, threads and epsilon of a normalisation must be in range");
    t->n = n;
    t->norm = (snn_axis_norm){.count = n->channels, .epsilon = epsilon, .scale = scale, .shift = shift};
    t->x = x;
    return check(t, "x", x);
}

static int threads_of(const norming *t) { return t->n->threads ? t->n->threads : snn_threads_default(); }

snn_status snn_norm_forward_tiles(const char *isa, const snn_channels *channels, float epsilon,
                                  const float *scale, const float *shift, snn_tiles x, snn_tiles y)
{
    norming t = {.y = y};
    snn_status status = begin(isa, channels, epsilon, scale, shift, x, &t);
    if (!status)
        status = check(&t, "y", y);
    if (!status)
        snn_parallel(threads_of(&t), forward, &t);
    return status;
}

/* The sums of one channel: of all parts in their order, then across the vector. */
static float total_of(const norming *t, int64_t which, int64_t channel)
{
    double total = 0.0;
    for (int64_t part = 0; part < t->parts; part++) {
        const float *at = t->sums + ((2 * part + which) * t->n->channels + channel) * t->isa->lanes;
        for (int lane = 0; lane < t->isa->lanes; lane++)
            total += (double)at[lane];
    }
    return (float)total;
}

snn_status snn_norm_backward_tiles(const char *isa, const snn_channels *channels, float epsilon,
                                   const float *scale, const float *shift, snn_tiles x, snn_tiles dy,
                                   snn_tiles dx, float *dscale, float *dshift)
{
    norming t = {.dy = dy, .dx = dx};
    snn_status status = begin(isa, channels, epsilon, scale, shift, x, &t);
    if (!status)
        status = check(&t, "dy", dy);
    if (!status && dx.values)
        status = check(&t, "dx", dx);
    if (!status && (!dscale || (shift && !dshift)))
        status = snn_fail(SNN_ERROR_ARGUMENT, "dscale and dshift must not be NULL");
    if (status)
        return status;
    t.parts = snn_min(PARTS, x.count * positions_of(&t));
    t.sums = snn_alloc((size_t)(2 * t.parts * channels->channels * t.isa->lanes), sizeof *t.sums);
    if (!t.sums)
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for the sums of %" PRId64 " channels",
                        channels->channels);
    snn_parallel(threads_of(&t), backward, &t);
    for (int64_t c = 0; c < channels->channels; c++) {
        dscale[c] = total_of(&t, 0, c);
        if (shift)
            dshift[c] = total_of(&t, 1, c);
    }
    snn_free(t.sums);
    return SNN_OK;
}
