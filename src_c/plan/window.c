/* Convolutions of one sample: for each tile of positions, what their windows hold is fetched and multiplied
 * by W, as a tile of samples is in a linear step.
 *
 * x (channels, height, width), y (rows, positions). In the tile a row is a place of the window in a channel,
 * so neighbouring positions of one row of the image are neighbours in x too where the stride is 1. */
#include "plan/step.h"

#include "graph/op.h"

/* Positions [first, first + count) of a tile of width samples; places behind count are zeros. */
typedef struct tile {
    int64_t first, count, width;
} tile;

/* count positions from to on of the tile are taken from a channel from there on, a stride apart. */
typedef struct range {
    int64_t from, to, count;
} range;

enum { MOST_RANGES = 64 }; /* a tile has no more positions */

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* What of the tile a place of the window finds in x, and what it does not: padding, and what fills up the
 * tile. */
static void find_ranges(const snn_window *w, const tile *t, int64_t kh, int64_t kw, range *ranges, int *found,
                        range *gaps, int *missing)
{
    const int64_t off = kw * w->dilation_w - w->pad_left;
    const int64_t low = off < 0 ? (-off + w->stride_w - 1) / w->stride_w : 0;
    const int64_t high = off < w->width ? (w->width - off - 1) / w->stride_w + 1 : 0;
    int64_t done = 0; // positions of the tile that are ranges or gaps
    *found = *missing = 0;
    for (int64_t at = 0; at < t->count;) {
        const int64_t p = t->first + at, row = p / w->out_width, column = p % w->out_width;
        const int64_t n = least(w->out_width - column, t->count - at);
        const int64_t ih = row * w->stride_h - w->pad_top + kh * w->dilation_h;
        const int64_t a = clamp(low, column, column + n), b = clamp(high, a, column + n);
        if (ih >= 0 && ih < w->height && b > a) {
            const int64_t to = at + a - column;
            if (to > done)
                gaps[(*missing)++] = (range){0, done, to - done};
            ranges[(*found)++] = (range){ih * w->width + a * w->stride_w + off, to, b - a};
            done = to + b - a;
        }
        at += n;
    }
    if (t->width > done)
        gaps[(*missing)++] = (range){0, done, t->width - done};
}

/* The rows of one place of the window, a channel apart each: from x, a plane a channel, -> to. */
static void fetch_place(const snn_isa *isa, const snn_window *w, const tile *t, int64_t place, const float *x,
                        float *to)
{
    const int64_t plane = w->height * w->width, rows = w->kernel_h * w->kernel_w * t->width;
    static const float zeros[MOST_RANGES];
    range ranges[MOST_RANGES], gaps[MOST_RANGES + 1];
    int found, missing;
    find_ranges(w, t, place / w->kernel_w, place % w->kernel_w, ranges, &found, gaps, &missing);
    for (int i = 0; i < found; i++) {
        const range *r = &ranges[i];
        if (w->stride_w == 1)
            isa->copy(x + r->from, plane, to + r->to, rows, w->channels, r->count);
        else
            isa->pick(x + r->from, plane, w->stride_w, to + r->to, rows, w->channels, r->count);
    }
    for (int i = 0; i < missing; i++)
        isa->copy(zeros, 0, to + gaps[i].to, rows, w->channels, gaps[i].count);
}

/* What the windows of a tile hold -> (cols, width). */
static void fetch(const snn_plan *plan, const snn_window *w, const tile *t, const float *x, float *to)
{
    for (int64_t place = 0; place < w->kernel_h * w->kernel_w; place++)
        fetch_place(plan->isa, w, t, place, x, to + place * t->width);
}

void snn_convolution_run(const snn_plan *plan, const snn_step *step, const float *x, float *scratch, float *y,
                         int member, int members)
{
    const snn_choice *choice = &step->chosen[0];
    const snn_window *w = step->window;
    const int64_t positions = w->out_height * w->out_width, width = choice->kernel->samples;
    const int64_t tiles = (positions + width - 1) / width;
    float *window = scratch, *result = scratch + snn_column_stride(step->cols) * width;
    for (int64_t i = tiles * member / members; i < tiles * (member + 1) / members; i++) {
        const tile t = {i * width, least(width, positions - i * width), width};
        fetch(plan, w, &t, x, window);
        for (int share = 0; share < choice->packing->share_count; share++)
            choice->kernel->run(snn_share(choice->packing, share), window, result, 0, &step->epilogue);
        plan->isa->copy(result, width, y + t.first, positions, step->rows, t.count);
    }
}

void snn_convolution_exact(const snn_plan *plan, const snn_step *step, const float *x, float *scratch, float *y)
{
    const snn_csr *csr = step->weights;
    const snn_window *w = step->window;
    const int64_t positions = w->out_height * w->out_width, width = step->chosen[0].kernel->samples;
    for (int64_t first = 0; first < positions; first += width) {
        const tile t = {first, least(width, positions - first), width};
        fetch(plan, w, &t, x, scratch);
        for (int64_t r = 0; r < csr->rows; r++) {
            float *row = y + r * positions + first;
            for (int64_t i = 0; i < t.count; i++)
                row[i] = step->epilogue.bias[r];
            for (int64_t p = csr->indptr[r]; p < csr->indptr[r + 1]; p++)
                plan->isa->scaled_add(csr->data[p], scratch + csr->indices[p] * width, row, t.count);
        }
    }
}

size_t snn_window_scratch(const snn_plan *plan)
{
    int64_t most = 0;
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        int64_t floats = step->type == SNN_STEP_POOL ? step->window->width : 0;
        if (step->type == SNN_STEP_CONVOLUTION)
            floats = (snn_column_stride(step->cols) + snn_column_stride(step->rows) + plan->threads) *
                     step->chosen[0].kernel->samples;
        most = floats > most ? floats : most;
    }
    return (size_t)snn_column_stride(most);
}
