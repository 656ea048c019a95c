/* Pools of one sample, channel by channel. */
#include "plan/step.h"

#include "graph/op.h"

#include <math.h>

/* A NaN stays, whichever comes first. */
static inline float larger(float best, float value) { return value > best || value != value ? value : best; }

/* Places of a window along a dim that lie within size: [first, end) of them, counted from start on. */
static void inside(int64_t start, int64_t kernel, int64_t dilation, int64_t size, int64_t *first,
                   int64_t *end)
{
    *first = start < 0 ? (-start + dilation - 1) / dilation : 0;
    *end = start >= size ? 0 : (size - 1 - start) / dilation + 1;
    *end = *end < kernel ? *end : kernel;
}

/* Joins count values, step apart, into others. */
static void join(int is_max, const float *restrict x, int64_t step, float *restrict to, int64_t count)
{
    if (is_max && step == 1)
        for (int64_t i = 0; i < count; i++)
            to[i] = larger(to[i], x[i]);
    else if (is_max && step == 2)
        for (int64_t i = 0; i < count; i++)
            to[i] = larger(to[i], x[2 * i]);
    else if (is_max)
        for (int64_t i = 0; i < count; i++)
            to[i] = larger(to[i], x[step * i]);
    else
        for (int64_t i = 0; i < count; i++)
            to[i] += x[step * i];
}

static void fill(int is_max, float *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = is_max ? -INFINITY : 0.0f;
}

/* y (out_width): each joins what its window holds of line (width), place by place of the window. */
static void join_columns(const snn_window *w, int is_max, const float *line, float *y)
{
    fill(is_max, y, w->out_width);
    for (int64_t k = 0; k < w->kernel_w; k++) {
        const int64_t off = k * w->dilation_w - w->pad_left; // of the first window
        const int64_t low = off < 0 ? (-off + w->stride_w - 1) / w->stride_w : 0;
        int64_t high = off < w->width ? (w->width - 1 - off) / w->stride_w + 1 : 0;
        high = high < w->out_width ? high : w->out_width;
        join(is_max, line + low * w->stride_w + off, w->stride_w, y + low, high - low);
    }
}

/* Sums of one row of windows become means; rows: that they hold. */
static void divide(const snn_step *step, int64_t rows, float *y)
{
    const snn_window *w = step->window;
    for (int64_t c = 0; c < w->out_width; c++) {
        int64_t first, end;
        inside(c * w->stride_w - w->pad_left, w->kernel_w, 1, w->width, &first, &end);
        const int64_t count = step->counts_padding ? w->kernel_h * w->kernel_w : rows * (end - first);
        y[c] /= (float)count;
    }
}

/* line (width): scratch. */
static void pool_channel(const snn_step *step, const float *x, float *line, float *y)
{
    const snn_window *w = step->window;
    const int is_max = step->op == SNN_OP_MAX_POOL2D;
    for (int64_t r = 0; r < w->out_height; r++, y += w->out_width) {
        const int64_t start = r * w->stride_h - w->pad_top;
        int64_t first, end;
        inside(start, w->kernel_h, w->dilation_h, w->height, &first, &end);
        fill(is_max, line, w->width);
        for (int64_t k = first; k < end; k++)
            join(is_max, x + (start + k * w->dilation_h) * w->width, 1, line, w->width);
        join_columns(w, is_max, line, y);
        if (!is_max)
            divide(step, end - first, y);
    }
}

void snn_pool_run(const snn_step *step, const float *x, float *scratch, float *y, int member, int members)
{
    const snn_window *w = step->window;
    for (int64_t c = w->channels * member / members; c < w->channels * (member + 1) / members; c++)
        pool_channel(step, x + c * w->height * w->width, scratch, y + c * w->out_height * w->out_width);
}
