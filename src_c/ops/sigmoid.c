/* 1 / (1 + exp(-x)). */
#include "graph/op.h"

const snn_op snn_op_sigmoid = {.type = SNN_OP_SIGMOID, .name = "sigmoid", .kind = SNN_KIND_POINTWISE};
