/* Pools of one sample, channel by channel. */
#include "plan/step.h"

#include "base/minmax.h"
#include "graph/op.h"
#include "plan/convolution.h"
#include "plan/turns.h"

#include <math.h>

/* Places of a window along a dim that lie within size: [first, end) of them, counted from start on. */
static void inside(int64_t start, int64_t kernel, int64_t dilation, int64_t size, int64_t *first,
                   int64_t *end)
{
    *first = start < 0 ? (-start + dilation - 1) / dilation : 0;
    *end = start >= size ? 0 : (size - 1 - start) / dilation + 1;
    *end = *end < kernel ? *end : kernel;
}

/* Sums of one row of windows become means; rows: that they hold. */
static void divide(const snn_convolution *c, int64_t rows, float *y)
{
    const snn_window *w = c->window;
    for (int64_t i = 0; i < w->out_width; i++) {
        int64_t first, end;
        inside(i * w->stride_w - w->pad_left, w->kernel_w, 1, w->width, &first, &end);
        const int64_t count = c->step->counts_padding ? w->kernel_h * w->kernel_w : rows * (end - first);
        y[i] /= (float)count;
    }
}

/* Floats that the windows of a row read: the columns of x with padding on both sides, as far as windows go.
 */
static int64_t line_floats(const snn_window *w)
{
    const int64_t windows = (w->out_width - 1) * w->stride_w + (w->kernel_w - 1) * w->dilation_w + 1;
    return snn_max(windows, w->pad_left + w->width);
}

int64_t snn_pool_scratch(const snn_step *step, int lanes) { return line_floats(step->window) + 2 * lanes; }

/* line: scratch, with what padding holds on both sides of the columns of x. */
static void pool_channel(const snn_convolution *c, const float *x, float *line, float *y)
{
    const snn_window *w = c->window;
    const snn_isa *isa = c->plan->isa;
    const int is_max = c->step->op == SNN_OP_MAX_POOL2D;
    const snn_pool_line windows = {.x = line,
                                   .windows = w->out_width,
                                   .places = w->kernel_w,
                                   .stride = w->stride_w,
                                   .dilation = w->dilation_w};
    for (int64_t r = 0; r < w->out_height; r++, y += w->out_width) {
        const int64_t start = r * w->stride_h - w->pad_top;
        int64_t first, end;
        inside(start, w->kernel_h, w->dilation_h, w->height, &first, &end);
        isa->pool_rows(is_max, x + (start + first * w->dilation_h) * w->width, w->dilation_h * w->width,
                       snn_max(end - first, 0), line + w->pad_left, w->width);
        isa->pool_line(is_max, &windows, y);
        if (!is_max)
            divide(c, end - first, y);
    }
}

static int64_t begin_part(const void *opaque, int part, int members)
{
    const snn_convolution *c = opaque;
    return c->window->channels * part / members;
}

static void run_channels(void *opaque, int64_t first, int64_t end)
{
    const snn_convolution *c = opaque;
    for (int64_t i = first; i < end; i++)
        pool_channel(c, c->x + i * c->window->x_plane, c->scratch, c->y + i * c->window->y_plane);
}

void snn_pool_run(const snn_convolution *c, int member, int members)
{
    const int64_t floats = line_floats(c->window);
    for (int64_t i = 0; i < floats; i++)
        c->scratch[i] = c->step->op == SNN_OP_MAX_POOL2D ? -INFINITY : 0.0f;
    snn_turns_run(&(snn_turns){1, begin_part, run_channels}, (void *)c, c->taken, member, members);
}
