/* Which convolutions are depthwise ones, and how they are cut into blocks. */
#include "plan/depthwise.h"

#include "base/minmax.h"

#include <math.h>

#define MOST_SPAN 64 /* that a window spans */
#define MOST_COLUMNS 4096
#define MOST_STRIDE 8
#define MOST_SHARED 4    /* rows of W a channel: more are a product worth a tile */
#define COPY_FLOATS 4096 /* of a block of x: half of L1 */
#define WIDEST 1024

/* ---- which ---- */

static int row_fits(const snn_node *node, int64_t row, int64_t places)
{
    if (node->sparse) {
        const int64_t begin = node->indptr[row], end = node->indptr[row + 1];
        return begin == end || node->indices[begin] / places == node->indices[end - 1] / places;
    }
    const float *weight = node->weight + row * node->cols;
    int64_t first = 0, last = node->cols - 1;
    while (first < last && weight[first] == 0.0f)
        first++;
    while (last > first && weight[last] == 0.0f)
        last--;
    return first / places == last / places;
}

int snn_depthwise_fits(const snn_node *node, const snn_window *w)
{
    const int64_t places = w->kernel_h * w->kernel_w;
    if (places > SNN_DEPTHWISE_PLACES || (w->kernel_h - 1) * w->dilation_h >= MOST_SPAN ||
        (w->kernel_w - 1) * w->dilation_w > MOST_COLUMNS || w->stride_h > MOST_STRIDE ||
        w->stride_w > MOST_STRIDE || node->rows > MOST_SHARED * w->channels)
        return 0;
    for (int64_t row = 0; row < node->rows; row++)
        if (!row_fits(node, row, places))
            return 0;
    return 1;
}

/* ---- blocks ---- */

/* Whether vectors at the ends of rows alone read beyond x, and by one column. */
static int is_in_place(const snn_window *w)
{
    return w->kernel_h == 3 && w->kernel_w == 3 && w->dilation_h == 1 && w->dilation_w == 1 &&
           w->stride_h == w->stride_w && w->stride_w <= 2 && w->pad_left <= 1 &&
           (w->out_width - 1) * w->stride_w + 2 - w->pad_left <= w->width;
}

/* Floats that the vectors of a row read, from the first that its first position reads on. */
static int64_t reach_of(const snn_window *w, int lanes)
{
    return w->stride_w * (snn_max(w->out_width - lanes, 0) + lanes) + 2;
}

snn_blocks snn_depthwise_cut(const snn_window *w, int64_t rows, const snn_isa *isa, int members)
{
    const int64_t spans = (w->kernel_h - 1) * w->dilation_h + 1, reach = (w->kernel_w - 1) * w->dilation_w;
    snn_blocks b = {.in_place = is_in_place(w), .across = (w->out_width + WIDEST - 1) / WIDEST};
    b.width = (w->out_width + b.across - 1) / b.across;
    b.part = snn_max(b.width, isa->lanes) + reach / w->stride_w + 1;
    b.pitch = b.part * w->stride_w;
    const int64_t fit = snn_max(COPY_FLOATS / b.pitch - spans, 0) / w->stride_h + 1;
    b.height = snn_min(fit / 4 * 4, SNN_DEPTHWISE_ROWS);
    if (b.height == 0) // four rows share what is loaded of the weights, so they may take some more room
        b.height = (3 * w->stride_h + spans) * b.pitch <= 4 * COPY_FLOATS ? 4 : 1;
    while (b.height > 4 && rows * ((w->out_height + b.height - 1) / b.height) < 4 * members)
        b.height = b.height / 8 * 4;
    b.height = snn_min(b.height, w->out_height);
    b.down = (w->out_height + b.height - 1) / b.height;
    b.lines = (b.height - 1) * w->stride_h + spans;
    if (b.in_place) {
        b.line = (w->pad_left + snn_max(reach_of(w, isa->lanes), w->width) + 15) / 16 * 16;
        b.borrowed = snn_min(b.line / w->width + 2, b.lines);
    }
    return b;
}

int64_t snn_depthwise_scratch(const snn_step *step, const snn_isa *isa)
{
    const snn_blocks b = snn_depthwise_cut(step->window, step->rows, isa, 1);
    return snn_max(b.lines * b.pitch + isa->lanes, (1 + b.borrowed) * b.line);
}

const char *snn_depthwise_kernel(const snn_step *step, const snn_isa *isa)
{
    if (!snn_depthwise_cut(step->window, step->rows, isa, 1).in_place)
        return "stencil";
    return step->window->stride_w == 1 ? "stencil_three_1" : "stencil_three_2";
}

double snn_depthwise_estimate_us(const snn_step *step, const snn_isa *isa)
{
    const snn_window *w = step->window;
    const double vectors =
        (double)step->rows * (double)w->out_height * ceil((double)w->out_width / isa->lanes);
    const double weights = (double)step->nnz / (double)step->rows;
    const double copied = snn_depthwise_cut(step->window, step->rows, isa, 1).in_place
                              ? 0.0
                              : (double)(w->stride_h * w->stride_w);
    return vectors * (0.8 * weights + 3.0 * copied + 3.0) / 4000.0;
}
