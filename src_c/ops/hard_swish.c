/* x min(max(x + 3, 0), 6) / 6. Source: Howard et al. 2019, arXiv:1905.02244. */
#include "graph/op.h"

const snn_op snn_op_hard_swish = {
    .type = SNN_OP_HARD_SWISH,
    .name = "hard_swish",
    .kind = SNN_KIND_POINTWISE,
    .minor = 3,
    .graph_minor = 2,
    .reads_input = 1,
};
