/* The logarithm of exp(x) / sum(exp(x)) over one axis. */
#include "ops/axes.h"

const snn_op snn_op_log_softmax = {
    .type = SNN_OP_LOG_SOFTMAX,
    .name = "log_softmax",
    .kind = SNN_KIND_SOFTMAX,
    .minor = 3,
    .is_graph = 1,
    .integer_count = 1,
    .integers = {"axis"},
    .infer = snn_axis_infer,
    .axes = snn_axis_axes,
};
