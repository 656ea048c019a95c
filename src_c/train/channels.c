/* Batch normalisation on tiles: sums over each channel, and what follows from them value by value.
 *
 * Sums are in double. They are added up in parts of tiles and positions, which threads share, and then in the
 * order of the parts: how many threads there are changes no bit. */
#include "base/memory.h"
#include "base/status.h"
#include "base/threads.h"
#include "train/train.h"

#include <inttypes.h>
#include <string.h>

enum { PARTS = 16, LANES = 8, BLOCK_ROWS = 64 };

static int64_t features_of(const snn_channels *n) { return n->outer * n->channels * n->inner; }

static snn_status check(const snn_channels *n, const char *name, snn_tiles tiles)
{
    if (n->outer < 1 || n->channels < 1 || n->inner < 1 || n->samples < 1 || n->batch < 0 || n->threads < 0 ||
        n->threads > SNN_MAX_THREADS)
        return snn_fail(SNN_ERROR_ARGUMENT, "sizes and threads of channels must be in range");
    return snn_check_tiles(name, tiles, (n->batch + n->samples - 1) / n->samples, features_of(n), 0);
}

static int threads_of(const snn_channels *n) { return n->threads ? n->threads : snn_threads_default(); }

/* Samples of a tile that count. */
static int64_t width_of(const snn_channels *n, int64_t tile)
{
    const int64_t left = n->batch - tile * n->samples;
    return left < n->samples ? left : n->samples;
}

/* ---- sums ---- */

typedef struct summing {
    const snn_channels *n;
    snn_tiles a, b;
    int64_t parts, blocks; /* of tiles and positions; of channels */
    double *sums;          /* (parts, 2, channels) */
} summing;

static void add_row(const float *a, const float *b, int64_t count, double *sum, double *product)
{
    double s[LANES] = {0}, p[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int j = 0; j < LANES; j++) {
            s[j] += (double)a[i + j];
            p[j] += (double)a[i + j] * (double)b[i + j];
        }
    for (int j = 0; i < count; i++, j++) {
        s[j] += (double)a[i];
        p[j] += (double)a[i] * (double)b[i];
    }
    *sum += ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    *product += ((p[0] + p[1]) + (p[2] + p[3])) + ((p[4] + p[5]) + (p[6] + p[7]));
}

/* One part of some of the channels. */
static void add_part(const summing *s, int64_t part, int64_t first, int64_t last)
{
    const snn_channels *n = s->n;
    const int64_t work = s->a.count * n->outer, width = n->samples;
    double *sums = s->sums + 2 * part * n->channels, *products = sums + n->channels;
    for (int64_t u = work * part / s->parts; u < work * (part + 1) / s->parts; u++) {
        const int64_t t = u / n->outer, valid = width_of(n, t);
        const int64_t at = (u % n->outer * n->channels + first) * n->inner * width;
        const float *a = snn_tile_of(s->a, t, width) + at, *b = snn_tile_of(s->b, t, width) + at;
        for (int64_t c = first; c < last; c++)
            for (int64_t i = 0; i < n->inner; i++, a += width, b += width)
                add_row(a, b, valid, &sums[c], &products[c]);
    }
}

static void add_parts(void *argument, int thread, int threads)
{
    const summing *s = argument;
    const int64_t items = s->parts * s->blocks, channels = s->n->channels;
    for (int64_t i = items * thread / threads; i < items * (thread + 1) / threads; i++) {
        const int64_t block = i % s->blocks;
        SNN_PAUSE();
        add_part(s, i / s->blocks, channels * block / s->blocks, channels * (block + 1) / s->blocks);
    }
}

snn_status snn_channels_sum(const snn_channels *n, snn_tiles a, snn_tiles b, double *sums, double *products)
{
    if (!n || !sums || !products)
        return snn_fail(SNN_ERROR_ARGUMENT, "channels, sums and products must not be NULL");
    snn_status status = check(n, "a", a);
    if (!status)
        status = check(n, "b", b);
    if (status)
        return status;
    const int64_t work = a.count * n->outer, channels = n->channels;
    summing s = {n, a, b, work < PARTS ? work : PARTS, 1, NULL};
    if (work < PARTS)
        s.blocks = channels < PARTS ? channels : PARTS;
    s.sums = snn_alloc((size_t)(2 * s.parts * channels), sizeof *s.sums);
    if (!s.sums)
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for the sums of %" PRId64 " channels", channels);
    snn_parallel(threads_of(n), add_parts, &s);
    for (int64_t c = 0; c < channels; c++) {
        sums[c] = products[c] = 0.0;
        for (int64_t part = 0; part < s.parts; part++) {
            sums[c] += s.sums[2 * part * channels + c];
            products[c] += s.sums[(2 * part + 1) * channels + c];
        }
    }
    snn_free(s.sums);
    return SNN_OK;
}

/* ---- value by value ---- */

typedef struct combining {
    const snn_isa *isa;
    const snn_channels *n;
    const float *p, *q, *r;
    snn_tiles a, b, y;
    snn_activation activation;
} combining;

/* Row of channel c of a tile, of which width samples count. */
static void combine_row(const combining *k, int64_t c, const float *a, const float *b, int64_t width,
                        float *y)
{
    const int64_t samples = k->n->samples;
    const float p = k->p[c], r = k->r[c];
    if (b) {
        const float q = k->q[c];
        for (int64_t i = 0; i < samples; i++)
            y[i] = p * a[i] + (q * b[i] + r);
    } else {
        for (int64_t i = 0; i < samples; i++)
            y[i] = p * a[i] + r;
    }
    if (width < samples)
        memset(y + width, 0, (size_t)(samples - width) * sizeof *y);
}

/* Rows [first, last) of a tile: few enough to be in the cache for the activation. */
static void combine_rows(const combining *k, int64_t t, int64_t first, int64_t last)
{
    const snn_channels *n = k->n;
    const int64_t width = n->samples, at = first * width;
    const float *a = snn_tile_of(k->a, t, width) + at,
                *b = k->b.values ? snn_tile_of(k->b, t, width) + at : NULL;
    const snn_activation *f = &k->activation;
    float *y = snn_tile_of(k->y, t, width) + at, *z = f->z.values ? snn_tile_of(f->z, t, width) + at : y;
    int64_t c = first / n->inner % n->channels, inside = first % n->inner;
    for (int64_t row = 0; row < last - first; row++) {
        combine_row(k, c, a + row * width, b ? b + row * width : NULL, width_of(n, t), z + row * width);
        if (++inside == n->inner) {
            inside = 0;
            c = c + 1 == n->channels ? 0 : c + 1;
        }
    }
    const snn_epilogue e = {NULL, f->type, f->low, f->high};
    if (f->type != SNN_NODE_LINEAR)
        k->isa->activate(z, y, (last - first) * width, &e);
    else if (z != y)
        memcpy(y, z, (size_t)((last - first) * width) * sizeof *y);
}

static void combine(void *argument, int thread, int threads)
{
    const combining *k = argument;
    const int64_t rows = features_of(k->n), blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    const int64_t work = k->a.count * blocks;
    for (int64_t i = work * thread / threads; i < work * (thread + 1) / threads; i++) {
        const int64_t first = i % blocks * BLOCK_ROWS, last = first + BLOCK_ROWS;
        SNN_PAUSE();
        combine_rows(k, i / blocks, first, last < rows ? last : rows);
    }
}

snn_status snn_channels_combine(const char *isa_name, const snn_channels *n, const float *p, snn_tiles a,
                                const float *q, snn_tiles b, const float *r, const snn_activation *activation,
                                snn_tiles y)
{
    combining k = {.n = n, .p = p, .q = q, .r = r, .a = a, .b = b, .y = y};
    if (!n || !p || !r || (b.values && !q))
        return snn_fail(SNN_ERROR_ARGUMENT, "channels, p, q and r must not be NULL");
    if (activation)
        k.activation = *activation;
    snn_status status = snn_isa_find(isa_name, &k.isa);
    if (!status)
        status = check(n, "a", a);
    if (!status && b.values)
        status = check(n, "b", b);
    if (!status)
        status = check(n, "y", y);
    if (!status && activation)
        status = snn_check_activation(activation, a.count, features_of(n), 0);
    if (!status)
        snn_parallel(threads_of(n), combine, &k);
    return status;
}
