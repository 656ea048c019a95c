/* Running a depthwise convolution, block by block: in place, or from a copy of x with its padding. */
#include "plan/depthwise.h"

#include "base/minmax.h"
#include "base/threads.h"
#include "plan/turns.h"

#include <string.h>

enum { LINES_IN_PLACE = 2 * (SNN_DEPTHWISE_ROWS - 1) + 3, MOST_LANES = 16 }; /* with a stride of 2 */

/* What all blocks of a part share. */
typedef struct work {
    const snn_convolution *c;
    snn_blocks blocks;
    int64_t places[SNN_DEPTHWISE_PLACES]; /* of the window: floats from the copy of x */
    float valid[2 * 3 * MOST_LANES];      /* snn_stencil.valid */
    int64_t channel, block;               /* what the scratch holds a copy of; -1: nothing */
} work;

/* Positions [row, row + rows) and [column, column + columns) of a channel. */
typedef struct area {
    int64_t row, rows, column, columns;
} area;

/* ---- from a copy ---- */

/* Columns of x that lie stride apart, from the one on that the first position would find at offset: each
 * is copied to its place behind to, which has zeros. */
static void copy_part(const work *k, const area *a, const float *x, int64_t offset, int64_t row, int64_t rows,
                      float *to)
{
    const snn_window *w = k->c->window;
    const snn_isa *isa = k->c->plan->isa;
    const int64_t start = a->column * w->stride_w - w->pad_left + offset;
    const int64_t low = start < 0 ? (-start + w->stride_w - 1) / w->stride_w : 0;
    const int64_t end = start < w->width ? (w->width - 1 - start) / w->stride_w + 1 : 0;
    const int64_t count = snn_min(end, k->blocks.part) - low;
    if (count <= 0)
        return;
    const float *from = x + row * w->width + start + low * w->stride_w;
    if (w->stride_w == 1)
        isa->copy(from, w->width, to + low, k->blocks.pitch, rows, count);
    else
        isa->pick(from, w->width, w->stride_w, to + low, k->blocks.pitch, rows, count);
}

/* What an area reads of a plane -> scratch. */
static void copy_block(const work *k, const area *a, const float *x)
{
    const snn_window *w = k->c->window;
    const int64_t start = a->row * w->stride_h - w->pad_top;
    const int64_t lines = (a->rows - 1) * w->stride_h + (w->kernel_h - 1) * w->dilation_h + 1;
    const int64_t first = snn_max(start, 0), end = snn_min(start + lines, w->height);
    float *to = k->c->scratch + (first - start) * k->blocks.pitch;
    memset(k->c->scratch, 0, (size_t)(lines * k->blocks.pitch) * sizeof(float));
    for (int64_t offset = 0; offset < w->stride_w && end > first; offset++)
        copy_part(k, a, x, offset, first, end - first, to + offset * k->blocks.part);
}

/* The weights of a row that are not 0, and their places in the copy. */
static int64_t gather_weights(const work *k, int64_t row, float *weights, int64_t *places)
{
    const snn_csr *csr = k->c->step->weights;
    const snn_window *w = k->c->window;
    int64_t count = 0;
    for (int64_t p = csr->indptr[row]; p < csr->indptr[row + 1]; p++) {
        if (csr->data[p] == 0.0f)
            continue;
        weights[count] = csr->data[p];
        places[count++] = k->places[csr->indices[p] % (w->kernel_h * w->kernel_w)];
    }
    return count;
}

static void run_copied(work *k, snn_stencil *s, int64_t row, int64_t channel, int64_t block, const area *a)
{
    const snn_window *w = k->c->window;
    float weights[SNN_DEPTHWISE_PLACES];
    int64_t places[SNN_DEPTHWISE_PLACES];
    if (k->channel != channel || k->block != block)
        copy_block(k, a, k->c->x + channel * w->x_plane);
    k->channel = channel;
    k->block = block;
    s->count = gather_weights(k, row, weights, places);
    s->weights = weights;
    s->places = places;
    s->x = k->c->scratch;
    s->x_stride = w->stride_h * k->blocks.pitch;
    k->c->plan->isa->stencil(s, &k->c->step->epilogue);
}

/* ---- in place ---- */

/* Rows of x for a block, zeros outside. Those of which vectors would read before or behind all of x are
 * copied into scratch, behind the row of zeros. */
static void find_lines(const work *k, const area *a, int64_t channel, int64_t count, const float **lines)
{
    const snn_window *w = k->c->window;
    const int64_t floats = (w->channels - 1) * w->x_plane + w->height * w->width;
    const int64_t start = a->row * w->stride_h - w->pad_top;
    float *spare = k->c->scratch + k->blocks.line;
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = start + i, at = channel * w->x_plane + row * w->width - w->pad_left;
        if (row < 0 || row >= w->height) {
            lines[i] = k->c->scratch;
        } else if (at >= 0 && at + k->blocks.line <= floats) {
            lines[i] = k->c->x + at;
        } else {
            memcpy(spare + w->pad_left, k->c->x + at + w->pad_left, (size_t)w->width * sizeof *spare);
            lines[i] = spare;
            spare += k->blocks.line;
        }
    }
}

static void run_in_place(work *k, snn_stencil *s, int64_t row, int64_t channel, const area *a)
{
    const snn_window *w = k->c->window;
    const snn_csr *csr = k->c->step->weights;
    const float *lines[LINES_IN_PLACE];
    if (k->channel >= 0 || k->block < 0) // the scratch has held something else
        memset(k->c->scratch, 0, (size_t)((1 + k->blocks.borrowed) * k->blocks.line) * sizeof(float));
    k->channel = -1;
    k->block = 0;
    find_lines(k, a, channel, (a->rows - 1) * w->stride_h + 3, lines);
    s->weights = csr->data + csr->indptr[row];
    s->lines = lines;
    s->valid = k->valid;
    k->c->plan->isa->stencil_three(s, (int)w->stride_w, &k->c->step->epilogue);
}

/* ---- all ---- */

/* Whether a row may be run in place: by the nine weights that it has. */
static int has_nine(const snn_csr *csr, int64_t row)
{
    const int64_t begin = csr->indptr[row];
    int64_t count = 0;
    while (count < 9 && begin + count < csr->indptr[row + 1] && csr->data[begin + count] != 0.0f)
        count++;
    return count == 9;
}

static void begin(work *k, int members)
{
    const snn_window *w = k->c->window;
    const int lanes = k->c->plan->isa->lanes;
    static const uint32_t ones = UINT32_MAX;
    k->blocks = snn_depthwise_cut(w, k->c->step->rows, k->c->plan->isa, members);
    for (int64_t i = 0; i < w->kernel_h * w->kernel_w; i++) {
        const int64_t down = i / w->kernel_w * w->dilation_h, right = i % w->kernel_w * w->dilation_w;
        k->places[i] = down * k->blocks.pitch + right % w->stride_w * k->blocks.part + right / w->stride_w;
    }
    for (int end = 0; end < 2; end++)
        for (int64_t i = 0; i < 3 * lanes; i++) {
            const int64_t first = end ? snn_max(w->out_width - lanes, 0) : 0;
            const int64_t column = first * w->stride_w - w->pad_left + i;
            float *valid = &k->valid[end * 3 * lanes + i];
            *valid = 0.0f;
            if (column >= 0 && column < w->width)
                memcpy(valid, &ones, sizeof *valid);
        }
}

static void run_block(work *k, int64_t row, int64_t block)
{
    const snn_convolution *c = k->c;
    const snn_window *w = c->window;
    const snn_csr *csr = c->step->weights;
    const snn_blocks *b = &k->blocks;
    const int64_t down = block / b->across, across = block % b->across;
    const int64_t places = w->kernel_h * w->kernel_w, from = csr->indptr[row];
    const int64_t channel = from < csr->indptr[row + 1] ? csr->indices[from] / places : 0;
    area a = {.row = down * b->height, .column = w->out_width * across / b->across};
    a.rows = snn_min(b->height, w->out_height - a.row);
    a.columns = w->out_width * (across + 1) / b->across - a.column;
    const int64_t at = a.row * w->out_width + a.column;
    snn_stencil s = {.rows = a.rows,
                     .columns = a.columns,
                     .bias = c->step->epilogue.bias[row],
                     .y = c->y + row * w->y_plane + at,
                     .addend = c->addend ? c->addend + row * c->addend_plane + at : NULL,
                     .stride = w->out_width};
    if (b->in_place && has_nine(csr, row))
        run_in_place(k, &s, row, channel, &a);
    else
        run_copied(k, &s, row, channel, block, &a);
}

static int64_t blocks_of(const work *k) { return k->blocks.down * k->blocks.across; }

static int64_t begin_part(const void *opaque, int part, int members)
{
    const work *k = opaque;
    return k->c->step->rows * blocks_of(k) * part / members;
}

/* Blocks [first, end) of all rows. */
static void run_blocks(void *opaque, int64_t first, int64_t end)
{
    work *k = opaque;
    const int64_t blocks = blocks_of(k);
    for (int64_t i = first; i < end; i++) {
        SNN_PAUSE();
        run_block(k, i / blocks, i % blocks);
    }
}

void snn_depthwise_run(const snn_convolution *c, int member, int members)
{
    work k = {.c = c, .channel = -1, .block = -1};
    begin(&k, members);
    snn_turns_run(&(snn_turns){1, begin_part, run_blocks}, &k, c->taken, member, members);
}
