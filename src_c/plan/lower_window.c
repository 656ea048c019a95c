/* The windows of convolutions and pools. */
#include "plan/lower.h"

#include "base/memory.h"

int snn_lower_window(snn_step *step, const snn_node *node, const snn_value *operand)
{
    step->window = snn_alloc(1, sizeof *step->window);
    if (!step->window)
        return 0;
    snn_op_of(node->type)->window(node, operand, step->window);
    step->counts_padding = node->type == SNN_OP_AVG_POOL2D && node->integers[node->integer_count - 1];
    return 1;
}

void snn_window_flatten(snn_window *w)
{
    if (w->kernel_h * w->kernel_w != 1 || w->stride_h != 1 || w->stride_w != 1 ||
        w->out_height != w->height || w->out_width != w->width)
        return;
    w->width = w->out_width = w->height * w->width;
    w->height = w->out_height = 1;
}
