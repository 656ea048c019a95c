/* The hyperbolic tangent. */
#include "graph/op.h"

const snn_op snn_op_tanh = {.type = SNN_OP_TANH, .name = "tanh", .kind = SNN_KIND_POINTWISE};
