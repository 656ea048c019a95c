/* Pools of one sample, channel by channel. */
#include "plan/step.h"

#include "graph/op.h"

/* Rows and columns of a channel that a window holds. */
typedef struct held {
    int64_t top, bottom, left, right; /* the first, and behind the last */
} held;

/* A NaN stays, whichever comes first. */
static inline float larger(float best, float value) { return value > best || value != value ? value : best; }

/* line (width) = the largest, or the sum, of the rows that the window holds, column by column. */
static void join_rows(const snn_window *w, const held *h, int is_max, const float *restrict x,
                      float *restrict line)
{
    for (int64_t c = 0; c < w->width; c++)
        line[c] = x[h->top * w->width + c];
    for (int64_t r = h->top + w->dilation_h; r < h->bottom; r += w->dilation_h) {
        const float *row = x + r * w->width;
        if (is_max)
            for (int64_t c = 0; c < w->width; c++)
                line[c] = larger(line[c], row[c]);
        else
            for (int64_t c = 0; c < w->width; c++)
                line[c] += row[c];
    }
}

static float join_columns(const snn_window *w, const held *h, int is_max, const float *line)
{
    float joined = line[h->left];
    for (int64_t c = h->left + w->dilation_w; c < h->right; c += w->dilation_w)
        joined = is_max ? larger(joined, line[c]) : joined + line[c];
    return joined;
}

/* Where the places of a window from start on begin and end within size. */
static void cut(int64_t start, int64_t kernel, int64_t dilation, int64_t size, int64_t *first, int64_t *end)
{
    const int64_t last = start + (kernel - 1) * dilation;
    *first = start < 0 ? start + (-start + dilation - 1) / dilation * dilation : start;
    *end = last < size ? last + 1 : size;
}

static void pool_channel(const snn_step *step, const float *x, float *line, float *y)
{
    const snn_window *w = step->window;
    const int is_max = step->op == SNN_OP_MAX_POOL2D;
    for (int64_t r = 0; r < w->out_height; r++) {
        held h;
        cut(r * w->stride_h - w->pad_top, w->kernel_h, w->dilation_h, w->height, &h.top, &h.bottom);
        join_rows(w, &h, is_max, x, line);
        for (int64_t c = 0; c < w->out_width; c++) {
            cut(c * w->stride_w - w->pad_left, w->kernel_w, w->dilation_w, w->width, &h.left, &h.right);
            const int64_t inside = (h.bottom - h.top) * (h.right - h.left);
            const int64_t count = step->counts_padding ? w->kernel_h * w->kernel_w : inside;
            const float joined = join_columns(w, &h, is_max, line);
            y[r * w->out_width + c] = is_max ? joined : joined / (float)count;
        }
    }
}

void snn_pool_run(const snn_step *step, const float *x, float *scratch, float *y, int member, int members)
{
    const snn_window *w = step->window;
    for (int64_t c = w->channels * member / members; c < w->channels * (member + 1) / members; c++)
        pool_channel(step, x + c * w->height * w->width, scratch, y + c * w->out_height * w->out_width);
}
