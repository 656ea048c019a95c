/* exp(x) / sum(exp(x)) over the features of a position. */
#include "graph/op.h"

const snn_op snn_op_softmax = {.type = SNN_OP_SOFTMAX, .name = "softmax", .kind = SNN_KIND_SOFTMAX};
