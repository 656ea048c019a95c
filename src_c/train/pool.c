/* Pools in training, on tiles: what a position holds of all channels lies side by side, and is taken as one
 * row. Forward, work is a tile by a position; back, a tile by a channel, so that windows that overlap add
 * into places of one thread. */
#include "base/minmax.h"
#include "base/status.h"
#include "base/threads.h"
#include "train/train.h"

#include <math.h>
#include <string.h>

/* Floats of a position that are handed back at a time. */
enum { BLOCK = 4096 };

typedef struct pooling {
    const snn_isa *isa;
    snn_pool pool;
    const snn_conv_shape *shape;
    int64_t out_height, out_width, samples;
    snn_tiles x, y, dy, dx;
} pooling;

/* The places of a window that lie in x: rows h, h + dilation, ... and columns w, w + dilation, ... */
typedef struct inside {
    int64_t h, w, down, across;
} inside;

/* Of count places from start on, dilation apart, those in [0, size): how many, *first the first of them. */
static int64_t clip(int64_t start, int64_t dilation, int64_t count, int64_t size, int64_t *first)
{
    const int64_t before = start < 0 ? (-start + dilation - 1) / dilation : 0;
    *first = start + before * dilation;
    if (before >= count || *first >= size)
        return 0;
    return snn_min(count - before, (size - 1 - *first) / dilation + 1);
}

static inside inside_of(const pooling *p, int64_t i, int64_t j)
{
    const snn_conv_shape *s = p->shape;
    inside in;
    in.down = clip(i * s->stride_h - s->pad_top, s->dilation_h, s->kernel_h, s->height, &in.h);
    in.across = clip(j * s->stride_w - s->pad_left, s->dilation_w, s->kernel_w, s->width, &in.w);
    return in;
}

/* The row of a tile at which the n-th of those places begins. */
static int64_t row_of(const pooling *p, const inside *in, int64_t n)
{
    const snn_conv_shape *s = p->shape;
    const int64_t h = in->h + n / in->across * s->dilation_h, w = in->w + n % in->across * s->dilation_w;
    return (h * s->width + w) * s->channels;
}

/* What a mean divides by. */
static float count_of(const pooling *p, const inside *in)
{
    return (float)(p->pool == SNN_POOL_MEAN ? p->shape->kernel_h * p->shape->kernel_w
                                            : snn_max(in->down * in->across, 1));
}

static void pool_position(const pooling *p, int64_t t, int64_t i, int64_t j)
{
    const int64_t samples = p->samples, floats = p->shape->channels * samples;
    const inside in = inside_of(p, i, j);
    const float *x = snn_tile_of(p->x, t, samples);
    float *y = snn_tile_of(p->y, t, samples) + (i * p->out_width + j) * floats;
    const int op = p->pool == SNN_POOL_MAX ? SNN_OP_MAX : SNN_OP_ADD;
    const int64_t places = in.down * in.across;
    for (int64_t k = 0; !places && k < floats; k++)
        y[k] = p->pool == SNN_POOL_MAX ? -INFINITY : 0.0f;
    if (places)
        memcpy(y, x + row_of(p, &in, 0) * samples, (size_t)floats * sizeof *y);
    for (int64_t n = 1; n < places; n++)
        p->isa->pair(op, (snn_side){y, floats, 0}, (snn_side){x + row_of(p, &in, n) * samples, floats, 0}, y,
                     1, floats);
    const float count = count_of(p, &in);
    if (p->pool != SNN_POOL_MAX)
        p->isa->pair(SNN_OP_DIV, (snn_side){y, floats, 0}, (snn_side){&count, 0, 1}, y, 1, floats);
}

static void pool_tiles(void *argument, int thread, int threads)
{
    const pooling *p = argument;
    const int64_t positions = p->out_height * p->out_width, work = p->x.count * positions;
    for (int64_t n = work * thread / threads; n < work * (thread + 1) / threads; n++) {
        const int64_t position = n % positions;
        SNN_PAUSE();
        pool_position(p, n / positions, position / p->out_width, position % p->out_width);
    }
}

/* count channels from channel first of one position, as floats of the tile. */
static void hand_back(const pooling *p, int64_t t, int64_t i, int64_t j, int64_t first, int64_t count)
{
    const int64_t samples = p->samples, floats = count * samples;
    const int64_t at = ((i * p->out_width + j) * p->shape->channels + first) * samples;
    const inside in = inside_of(p, i, j);
    const float *x = snn_tile_of(p->x, t, samples), *y = snn_tile_of(p->y, t, samples) + at;
    const float *dy = snn_tile_of(p->dy, t, samples) + at;
    float *dx = snn_tile_of(p->dx, t, samples), left[BLOCK];
    if (p->pool == SNN_POOL_MAX)
        memcpy(left, dy, (size_t)floats * sizeof *left);
    for (int64_t n = 0; n < in.down * in.across; n++) {
        const int64_t from = (row_of(p, &in, n) + first) * samples;
        if (p->pool == SNN_POOL_MAX)
            p->isa->hand_on(x + from, y, left, dx + from, floats);
        else
            p->isa->scaled_add(1.0f / count_of(p, &in), dy, dx + from, floats);
    }
}

/* All positions of some channels. */
static void hand_back_channels(const pooling *p, int64_t t, int64_t first, int64_t count)
{
    const snn_conv_shape *s = p->shape;
    float *dx = snn_tile_of(p->dx, t, p->samples);
    for (int64_t position = 0; position < s->height * s->width; position++)
        memset(dx + (position * s->channels + first) * p->samples, 0,
               (size_t)(count * p->samples) * sizeof *dx);
    for (int64_t i = 0; i < p->out_height; i++)
        for (int64_t j = 0; j < p->out_width; j++)
            hand_back(p, t, i, j, first, count);
}

static void hand_back_tiles(void *argument, int thread, int threads)
{
    const pooling *p = argument;
    const int64_t channels = p->shape->channels, work = p->x.count * channels;
    const int64_t end = work * (thread + 1) / threads, most = BLOCK / p->samples;
    int64_t n = work * thread / threads;
    while (n < end) {
        const int64_t first = n % channels, count = snn_min(snn_min(channels - first, end - n), most);
        SNN_PAUSE();
        hand_back_channels(p, n / channels, first, count);
        n += count;
    }
}

static snn_status check(pooling *p, const char *isa_name, int threads)
{
    snn_status status = snn_isa_find(isa_name, &p->isa);
    if (!status && (p->pool < SNN_POOL_MAX || p->pool > SNN_POOL_MEAN_INSIDE))
        status = snn_fail(SNN_ERROR_ARGUMENT, "pool must be one of snn_pool, got %d", (int)p->pool);
    if (!status && (threads < 0 || threads > SNN_MAX_THREADS))
        status = snn_fail(SNN_ERROR_ARGUMENT, "threads must be in [0, %d], got %d", SNN_MAX_THREADS, threads);
    if (!status)
        status = snn_check_conv_shape(p->shape, &p->out_height, &p->out_width);
    if (status)
        return status;
    p->samples = 4 * p->isa->lanes;
    const int64_t inputs = p->shape->channels * p->shape->height * p->shape->width;
    status = snn_check_tiles("x", p->x, p->x.count, inputs, 0);
    return status
               ? status
               : snn_check_tiles("y", p->y, p->x.count, p->shape->channels * p->out_height * p->out_width, 0);
}

snn_status snn_pool_forward_tiles(const char *isa, snn_pool pool, const snn_conv_shape *shape, int threads,
                                  snn_tiles x, snn_tiles y)
{
    pooling p = {.pool = pool, .shape = shape, .x = x, .y = y};
    const snn_status status = check(&p, isa, threads);
    if (!status)
        snn_parallel(threads ? threads : snn_threads_default(), pool_tiles, &p);
    return status;
}

snn_status snn_pool_backward_tiles(const char *isa, snn_pool pool, const snn_conv_shape *shape, int threads,
                                   snn_tiles x, snn_tiles y, snn_tiles dy, snn_tiles dx)
{
    pooling p = {.pool = pool, .shape = shape, .x = x, .y = y, .dy = dy, .dx = dx};
    snn_status status = check(&p, isa, threads);
    if (!status)
        status = snn_check_tiles("dy", dy, x.count, shape->channels * p.out_height * p.out_width, 0);
    if (!status)
        status = snn_check_tiles("dx", dx, x.count, shape->channels * shape->height * shape->width, 0);
    if (!status)
        snn_parallel(threads ? threads : snn_threads_default(), hand_back_tiles, &p);
    return status;
}
