/* y = W x + b, W dense or CSR. */
#include "graph/op.h"

const snn_op snn_op_linear = {.type = SNN_OP_LINEAR, .name = "linear", .kind = SNN_KIND_MATRIX};
