/* x / (1 + exp(-x)), also called swish. Source: Hendrycks and Gimpel 2016, arXiv:1606.08415. */
#include "graph/op.h"

const snn_op snn_op_silu = {
    .type = SNN_OP_SILU, .name = "silu", .kind = SNN_KIND_POINTWISE, .minor = 2, .reads_input = 1};
