/* |x|. */
#include "graph/op.h"

const snn_op snn_op_abs = {
    .type = SNN_OP_ABS, .name = "abs", .kind = SNN_KIND_POINTWISE, .minor = 2, .is_graph = 1};
