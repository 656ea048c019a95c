/* The square root: NaN below 0. */
#include "graph/op.h"

const snn_op snn_op_sqrt = {
    .type = SNN_OP_SQRT, .name = "sqrt", .kind = SNN_KIND_POINTWISE, .minor = 2, .is_graph = 1};
