/* Attention in training, on tiles: work is a tile, a vector of samples and a head of k and v at a time, so
 * that what comes back to k and v is added up by one thread, in the order of the queries. Of each query its
 * largest score and the sum of the powers are kept, and the weights made again from these on the way back: no
 * more of them is ever there than those of a block of queries. Source: Dao et al. 2022, arXiv:2205.14135 */
#include "base/minmax.h"
#include "base/status.h"
#include "base/threads.h"
#include "train/train.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 12 }; /* queries: whole groups of rows of a product */

typedef struct attending {
    const snn_isa *isa;
    const snn_attending *a;
    int64_t samples, vectors; /* of a tile */
    snn_tiles dy, dq, dk, dv;
} attending;

/* What a thread works in, (places, features, lanes) each; of q, dy and y a block of queries. */
typedef struct scratch {
    float *k, *v, *dk, *dv, *q, *y, *dy, *weights, *slopes, *top;
} scratch;

static int64_t scratch_vectors(const snn_attending *a)
{
    return 2 * a->keys * (a->depth + a->width) + BLOCK * (a->depth + 2 * a->width + 2 * a->keys + 2);
}

static scratch scratch_of(const attending *t, int thread)
{
    const snn_attending *a = t->a;
    const int64_t lanes = t->isa->lanes;
    float *at = a->scratch + thread * scratch_vectors(a) * lanes;
    const int64_t sizes[] = {a->keys * a->depth, a->keys * a->width, a->keys * a->depth, a->keys * a->width,
                             BLOCK * a->depth,   BLOCK * a->width,   BLOCK * a->width,   BLOCK * a->keys,
                             BLOCK * a->keys,    2 * BLOCK};
    scratch s;
    float **parts[] = {&s.k, &s.v, &s.dk, &s.dv, &s.q, &s.y, &s.dy, &s.weights, &s.slopes, &s.top};
    for (int i = 0; i < 10; i++) {
        *parts[i] = at;
        at += sizes[i] * lanes;
    }
    return s;
}

/* One vector of samples of a tile, from the row of a head on. */
typedef struct view {
    float *at;
    int64_t feature, token; /* floats to the next one */
} view;

static view view_of(snn_tiles tiles, int64_t tile, int64_t samples, int64_t lane, snn_strides strides,
                    int64_t head)
{
    float *at =
        tiles.values ? snn_tile_of(tiles, tile, samples) + head * strides.head * samples + lane : NULL;
    return (view){at, strides.feature * samples, strides.token * samples};
}

/* count tokens of it -> to (tokens, features, lanes), or the other way. */
static void load(const snn_isa *isa, view from, int64_t first, int64_t count, int64_t features, float *to)
{
    for (int64_t i = 0; i < count; i++)
        isa->copy(from.at + (first + i) * from.token, from.feature, to + i * features * isa->lanes,
                  isa->lanes, features, isa->lanes);
}

static void store(const snn_isa *isa, const float *from, int64_t first, int64_t count, int64_t features,
                  view to)
{
    for (int64_t i = 0; to.at && i < count; i++)
        isa->copy(from + i * features * isa->lanes, isa->lanes, to.at + (first + i) * to.token, to.feature,
                  features, isa->lanes);
}

static void scale(const attending *t, float *values, int64_t vectors)
{
    const snn_side factor = {&t->a->scale, 0, 1};
    t->isa->pair(SNN_OP_MUL, (snn_side){values, 0, 0}, factor, values, 1, vectors * t->isa->lanes);
}

/* Vectors of a product: floats to the next row, and to the next place in it. */
typedef struct grid {
    float *at;
    int64_t row, step;
} grid;

/* y (rows, columns) = (adds: y +) a (rows, depth) times b (columns, depth) turned. */
static void multiply(const attending *t, int64_t rows, int64_t columns, int64_t depth, grid a, grid b, grid y,
                     int adds)
{
    const snn_lane_product product = {.rows = rows,
                                      .columns = columns,
                                      .depth = depth,
                                      .a = a.at,
                                      .a_row = a.row,
                                      .a_step = a.step,
                                      .b = b.at,
                                      .b_column = b.row,
                                      .b_step = b.step,
                                      .y = y.at,
                                      .y_row = y.row,
                                      .y_column = y.step,
                                      .adds = adds};
    t->isa->lane_product(&product);
}

/* Samples of a tile that count, in vectors. */
static int64_t used_of(const attending *t, int64_t tile)
{
    const int64_t left = snn_min(t->a->batch - tile * t->samples, t->samples), lanes = t->isa->lanes;
    return (left + lanes - 1) / lanes;
}

/* Weights of count queries from first on, which q holds scaled: (queries, keys, lanes), of the first end
 * keys. top (2, queries, lanes) */
static void weigh(const attending *t, const scratch *s, int64_t tile, int64_t lane, int64_t head,
                  int64_t first, int64_t count, int64_t end, int known)
{
    const snn_attending *a = t->a;
    const int64_t lanes = t->isa->lanes, row = a->keys * lanes;
    multiply(t, count, end, a->depth, (grid){s->q, a->depth * lanes, lanes},
             (grid){s->k, a->depth * lanes, lanes}, (grid){s->weights, row, lanes}, 0);
    const int one = a->fixed_mask != NULL;
    const int64_t width = one ? 1 : t->samples;
    const float *mask = one              ? a->fixed_mask
                        : a->mask.values ? snn_tile_of(a->mask, tile, t->samples) + lane
                                         : NULL;
    for (int64_t i = 0; i < count; i++) {
        float *scores = s->weights + i * row;
        for (int64_t k = (first + i + 1) * lanes; a->causal && k < end * lanes; k++)
            scores[k] = -INFINITY;
        const int64_t at = (head * a->mask_at.head + (first + i) * a->mask_at.feature) * width;
        const snn_query query = {.keys = end,
                                 .scores = scores,
                                 .mask = mask ? mask + at : NULL,
                                 .mask_step = a->mask_at.token * width,
                                 .mask_one = one,
                                 .zeros = a->zeros,
                                 .top = s->top + i * lanes,
                                 .inverse = s->top + (BLOCK + i) * lanes};
        t->isa->attend(&query, known);
    }
}

/* Where the tops and the inverses of some queries are kept: (2, heads, queries) rows. */
static view kept_of(const attending *t, int64_t tile, int64_t lane, int64_t head)
{
    const snn_strides strides = {t->a->queries, t->a->heads * t->a->queries, 1};
    return view_of(t->a->kept, tile, t->samples, lane, strides, head);
}

static void copy_kept(const attending *t, const scratch *s, view kept, int64_t first, int64_t count,
                      int is_back)
{
    const int64_t lanes = t->isa->lanes;
    for (int part = 0; part < 2; part++) {
        float *own = s->top + part * BLOCK * lanes,
              *other = kept.at + first * kept.token + part * kept.feature;
        if (is_back)
            t->isa->copy(other, kept.token, own, lanes, count, lanes);
        else
            t->isa->copy(own, lanes, other, kept.token, count, lanes);
    }
}

/* Keys that the queries before last see. */
static int64_t seen_of(const snn_attending *a, int64_t last)
{
    return a->causal ? snn_min(a->keys, last) : a->keys;
}

static void run_head(const attending *t, const scratch *s, int64_t tile, int64_t lane, int64_t head)
{
    const snn_attending *a = t->a;
    const int64_t lanes = t->isa->lanes;
    const view q = view_of(a->q, tile, t->samples, lane, a->q_at, head);
    const view y = view_of(a->y, tile, t->samples, lane, a->y_at, head), kept = kept_of(t, tile, lane, head);
    for (int64_t first = 0; first < a->queries; first += BLOCK) {
        const int64_t count = snn_min(BLOCK, a->queries - first), end = seen_of(a, first + count);
        load(t->isa, q, first, count, a->depth, s->q);
        scale(t, s->q, count * a->depth);
        weigh(t, s, tile, lane, head, first, count, end, 0);
        copy_kept(t, s, kept, first, count, 0);
        multiply(t, count, a->width, end, (grid){s->weights, a->keys * lanes, lanes},
                 (grid){s->v, lanes, a->width * lanes}, (grid){s->y, a->width * lanes, lanes}, 0);
        store(t->isa, s->y, first, count, a->width, y);
    }
}

static void run_head_back(const attending *t, const scratch *s, int64_t tile, int64_t lane, int64_t head)
{
    const snn_attending *a = t->a;
    const int64_t lanes = t->isa->lanes, row = a->keys * lanes, depth = a->depth * lanes,
                  width = a->width * lanes;
    const view q = view_of(a->q, tile, t->samples, lane, a->q_at, head);
    const view dy = view_of(t->dy, tile, t->samples, lane, a->y_at, head);
    const view dq = view_of(t->dq, tile, t->samples, lane, a->q_at, head),
               kept = kept_of(t, tile, lane, head);
    for (int64_t first = 0; first < a->queries; first += BLOCK) {
        const int64_t count = snn_min(BLOCK, a->queries - first), end = seen_of(a, first + count);
        load(t->isa, q, first, count, a->depth, s->q);
        scale(t, s->q, count * a->depth);
        load(t->isa, dy, first, count, a->width, s->dy);
        copy_kept(t, s, kept, first, count, 1);
        weigh(t, s, tile, lane, head, first, count, end, 1);
        multiply(t, end, a->width, count, (grid){s->weights, lanes, row}, (grid){s->dy, lanes, width},
                 (grid){s->dv, width, lanes}, 1);
        multiply(t, count, end, a->width, (grid){s->dy, width, lanes}, (grid){s->v, width, lanes},
                 (grid){s->slopes, row, lanes}, 0);
        for (int64_t i = 0; i < count; i++)
            t->isa->attend_back(s->weights + i * row, s->slopes + i * row, end);
        multiply(t, end, a->depth, count, (grid){s->slopes, lanes, row}, (grid){s->q, lanes, depth},
                 (grid){s->dk, depth, lanes}, 1);
        if (!dq.at)
            continue;
        multiply(t, count, a->depth, end, (grid){s->slopes, row, lanes}, (grid){s->k, lanes, depth},
                 (grid){s->q, depth, lanes}, 0);
        scale(t, s->q, count * a->depth);
        store(t->isa, s->q, first, count, a->depth, dq);
    }
}

/* Zeros where a vector has no sample. */
static void clear(const attending *t, int64_t tile, int64_t lane, int64_t heads, int64_t features,
                  int64_t tokens, snn_tiles tiles, snn_strides strides, int64_t head)
{
    for (int64_t h = head; tiles.values && h < head + heads; h++) {
        const view to = view_of(tiles, tile, t->samples, lane, strides, h);
        for (int64_t i = 0; i < tokens; i++)
            for (int64_t f = 0; f < features; f++)
                memset(to.at + i * to.token + f * to.feature, 0, (size_t)t->isa->lanes * sizeof(float));
    }
}

static void run(void *argument, int thread, int threads)
{
    const attending *t = argument;
    const snn_attending *a = t->a;
    const int is_back = t->dy.values != NULL;
    const int64_t shared = a->heads / a->own_heads, tasks = a->q.count * t->vectors * a->own_heads;
    const scratch s = scratch_of(t, thread);
    for (int64_t i = tasks * thread / threads; i < tasks * (thread + 1) / threads; i++) {
        const int64_t own = i % a->own_heads, vector = i / a->own_heads % t->vectors;
        const int64_t tile = i / a->own_heads / t->vectors, lane = vector * t->isa->lanes,
                      head = own * shared;
        SNN_PAUSE();
        if (vector >= used_of(t, tile)) {
            clear(t, tile, lane, shared, a->width, a->queries, is_back ? (snn_tiles){0} : a->y, a->y_at,
                  head);
            clear(t, tile, lane, shared, a->depth, a->queries, t->dq, a->q_at, head);
            clear(t, tile, lane, 1, a->depth, a->keys, t->dk, a->k_at, own);
            clear(t, tile, lane, 1, a->width, a->keys, t->dv, a->v_at, own);
            continue;
        }
        load(t->isa, view_of(a->k, tile, t->samples, lane, a->k_at, own), 0, a->keys, a->depth, s.k);
        load(t->isa, view_of(a->v, tile, t->samples, lane, a->v_at, own), 0, a->keys, a->width, s.v);
        if (is_back) {
            memset(s.dk, 0, (size_t)(a->keys * a->depth * t->isa->lanes) * sizeof(float));
            memset(s.dv, 0, (size_t)(a->keys * a->width * t->isa->lanes) * sizeof(float));
        }
        for (int64_t h = head; h < head + shared; h++)
            (is_back ? run_head_back : run_head)(t, &s, tile, lane, h);
        if (is_back) {
            store(t->isa, s.dk, 0, a->keys, a->depth, view_of(t->dk, tile, t->samples, lane, a->k_at, own));
            store(t->isa, s.dv, 0, a->keys, a->width, view_of(t->dv, tile, t->samples, lane, a->v_at, own));
        }
    }
}

/* ---- checks ---- */

/* Whether rows that far apart lie among features rows. */
static int fits(snn_strides s, int64_t heads, int64_t features, int64_t tokens, int64_t rows)
{
    if (s.head < 0 || s.feature < 0 || s.token < 0 || s.head > rows || s.feature > rows || s.token > rows)
        return 0;
    return (heads - 1) * s.head + (features - 1) * s.feature + (tokens - 1) * s.token < rows;
}

static snn_status check_operand(const snn_attending *a, const char *name, snn_tiles tiles,
                                snn_strides strides, int64_t heads, int64_t features, int64_t tokens)
{
    const int64_t rows = heads * features * tokens;
    if (!fits(strides, heads, features, tokens, rows))
        return snn_fail(SNN_ERROR_ARGUMENT, "attention: strides of %s must lie in it", name);
    return tiles.values || rows ? snn_check_tiles(name, tiles, a->q.count, rows, 0) : SNN_OK;
}

static snn_status check(const snn_attending *a, int64_t samples)
{
    const int64_t most = (int64_t)1 << 20; // so that no product overflows
    const int64_t sizes[] = {a->heads, a->own_heads, a->depth, a->width, a->queries, a->keys, a->batch};
    for (int i = 0; i < 7; i++)
        if (sizes[i] < 1 || sizes[i] >= most)
            return snn_fail(SNN_ERROR_ARGUMENT, "attention: sizes must be in range");
    if (a->heads % a->own_heads || !isfinite(a->scale) || a->threads < 0 || a->threads > SNN_MAX_THREADS ||
        a->q.count != (a->batch + samples - 1) / samples)
        return snn_fail(SNN_ERROR_ARGUMENT, "attention: heads, scale, threads and tiles must fit");
    if (!a->scratch)
        return snn_fail(SNN_ERROR_ARGUMENT, "attention: scratch must not be NULL");
    snn_status status = check_operand(a, "q", a->q, a->q_at, a->heads, a->depth, a->queries);
    if (!status)
        status = check_operand(a, "k", a->k, a->k_at, a->own_heads, a->depth, a->keys);
    if (!status)
        status = check_operand(a, "v", a->v, a->v_at, a->own_heads, a->width, a->keys);
    if (!status)
        status = check_operand(a, "y", a->y, a->y_at, a->heads, a->width, a->queries);
    if (!status)
        status = snn_check_tiles("kept", a->kept, a->q.count, 2 * a->heads * a->queries, 0);
    if (!status && (a->fixed_mask || a->mask.values) &&
        !fits(a->mask_at, a->heads, a->queries, a->keys, a->mask_rows))
        return snn_fail(SNN_ERROR_ARGUMENT, "attention: strides of mask must lie in it");
    if (!status && a->mask.values)
        status = snn_check_tiles("mask", a->mask, a->q.count, a->mask_rows, 0);
    return status;
}

static int threads_of(const snn_attending *a) { return a->threads ? a->threads : snn_threads_default(); }

snn_status snn_attending_scratch(const char *isa_name, const snn_attending *a, int64_t *floats)
{
    const snn_isa *isa;
    if (!a || !floats)
        return snn_fail(SNN_ERROR_ARGUMENT, "attention and floats must not be NULL");
    snn_status status = snn_isa_find(isa_name, &isa);
    if (!status)
        *floats = scratch_vectors(a) * isa->lanes * threads_of(a);
    return status;
}

static snn_status run_checked(const char *isa_name, attending *t)
{
    if (!t->a)
        return snn_fail(SNN_ERROR_ARGUMENT, "attention must not be NULL");
    snn_status status = snn_isa_find(isa_name, &t->isa);
    if (status)
        return status;
    t->vectors = 4;
    t->samples = t->vectors * t->isa->lanes;
    status = check(t->a, t->samples);
    const snn_attending *a = t->a;
    const snn_tiles slopes[] = {t->dy, t->dq, t->dk, t->dv};
    const int64_t rows[] = {a->heads * a->width * a->queries, a->heads * a->depth * a->queries,
                            a->own_heads * a->depth * a->keys, a->own_heads * a->width * a->keys};
    for (int i = 0; !status && i < 4; i++)
        if (slopes[i].values)
            status = snn_check_tiles("slopes", slopes[i], a->q.count, rows[i], 0);
    if (!status)
        snn_parallel(threads_of(a), run, t);
    return status;
}

snn_status snn_attention_forward_tiles(const char *isa, const snn_attending *a)
{
    attending t = {.a = a};
    return run_checked(isa, &t);
}

snn_status snn_attention_backward_tiles(const char *isa, const snn_attending *a, snn_tiles dy, snn_tiles dq,
                                        snn_tiles dk, snn_tiles dv)
{
    attending t = {.a = a, .dy = dy, .dq = dq, .dk = dk, .dv = dv};
    if (!dy.values)
        return snn_fail(SNN_ERROR_ARGUMENT, "attention: dy must not be NULL");
    return run_checked(isa, &t);
}
