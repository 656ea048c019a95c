/* What ops that move a window over (batch, channels, height, width) share. Their first ten whole numbers are
 * SNN_WINDOW_INTEGERS, or the first eight, without a dilation. */
#ifndef SNN_OPS_WINDOW_H
#define SNN_OPS_WINDOW_H

#include "graph/op.h"
#include "graph/value.h"

enum {
    SNN_KERNEL_H,
    SNN_KERNEL_W,
    SNN_STRIDE_H,
    SNN_STRIDE_W,
    SNN_PAD_TOP,
    SNN_PAD_LEFT,
    SNN_PAD_BOTTOM,
    SNN_PAD_RIGHT,
    SNN_DILATION_H,
    SNN_DILATION_W
};
#define SNN_WINDOW_INTEGERS                                                                                  \
    "kernel_h", "kernel_w", "stride_h", "stride_w", "pad_top", "pad_left", "pad_bottom", "pad_right"

/* dims of the result, channels included, from those of the operand. */
snn_status snn_window_infer(const snn_node *node, const snn_value *operand, snn_value *result);
/* snn_op.window */
void snn_window_of(const snn_node *node, const snn_value *operand, snn_window *window);

#endif
