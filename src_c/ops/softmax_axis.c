/* exp(x) / sum(exp(x)) over one axis. */
#include "ops/axes.h"

const snn_op snn_op_softmax_axis = {
    .type = SNN_OP_SOFTMAX_AXIS,
    .name = "softmax_axis",
    .kind = SNN_KIND_SOFTMAX,
    .minor = 2,
    .is_graph = 1,
    .integer_count = 1,
    .integers = {"axis"},
    .infer = snn_axis_infer,
    .axes = snn_axis_axes,
};
