/* max(x, 0). */
#include "graph/op.h"

const snn_op snn_op_relu = {.type = SNN_OP_RELU, .name = "relu", .kind = SNN_KIND_POINTWISE};
