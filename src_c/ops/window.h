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
/* In place of the four pads: as many as make ceil(size / stride) places, the odd one behind or in front. They
 * become numbers as soon as height and width are known. */
enum { SNN_SAME_UPPER = -1, SNN_SAME_LOWER = -2 };
#define SNN_WINDOW_INTEGERS                                                                                  \
    "kernel_h", "kernel_w", "stride_h", "stride_w", "pad_top", "pad_left", "pad_bottom", "pad_right"

/* dims of the result, channels included, from those of the operand. */
snn_status snn_window_infer(snn_node *node, const snn_value *operand, snn_value *result);
/* Whether the pads of a node follow from a size that is not known yet. */
static inline int snn_window_is_open(const snn_node *node) { return node->integers[SNN_PAD_TOP] < 0; }
/* snn_op.own_minor: 3 where the pads are no numbers. */
int snn_window_minor(const snn_node *node);
/* snn_op.window */
void snn_window_of(const snn_node *node, const snn_value *operand, snn_window *window);

#endif
