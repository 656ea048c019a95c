/* e to the x. */
#include "graph/op.h"

const snn_op snn_op_exp = {
    .type = SNN_OP_EXP, .name = "exp", .kind = SNN_KIND_POINTWISE, .minor = 2, .is_graph = 1};
