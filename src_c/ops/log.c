/* The natural logarithm: minus infinity of 0, NaN below. */
#include "graph/op.h"

const snn_op snn_op_log = {
    .type = SNN_OP_LOG, .name = "log", .kind = SNN_KIND_POINTWISE, .minor = 2, .is_graph = 1};
