/* The sum of some axes. */
#include "ops/axes.h"

const snn_op snn_op_reduce_sum = {
    .type = SNN_OP_REDUCE_SUM,
    .name = "reduce_sum",
    .kind = SNN_KIND_REDUCE,
    .minor = 2,
    .is_graph = 1,
    .integer_count = 2,
    .integers = {"first", "last"},
    .infer = snn_reduce_infer,
    .axes = snn_reduce_axes,
};
