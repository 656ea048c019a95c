/* What ops share that look over axes which stand next to each other. */
#ifndef SNN_OPS_AXES_H
#define SNN_OPS_AXES_H

#include "graph/op.h"
#include "graph/value.h"

/* Whole numbers "first" and "last": axes of the operand, both included, of which the result has one place. */
snn_status snn_reduce_infer(snn_node *node, const snn_value *const *operands, snn_value *result);
/* snn_op.axes of axes first to last. */
void snn_reduce_axes(const snn_node *node, const snn_value *operand, snn_axes *axes);
/* A whole number "axis" of the operand, whose dims the result has. */
snn_status snn_axis_infer(snn_node *node, const snn_value *const *operands, snn_value *result);
/* snn_op.axes of that axis. */
void snn_axis_axes(const snn_node *node, const snn_value *operand, snn_axes *axes);

#endif
