/* x tanh(log(1 + exp(x))). Source: Misra 2019, arXiv:1908.08681. */
#include "graph/op.h"

const snn_op snn_op_mish = {
    .type = SNN_OP_MISH,
    .name = "mish",
    .kind = SNN_KIND_POINTWISE,
    .minor = 3,
    .graph_minor = 2,
    .reads_input = 1,
};
