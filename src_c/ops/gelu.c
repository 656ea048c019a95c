/* x/2 (1 + erf(x / sqrt 2)), the exact form. */
#include "graph/op.h"

const snn_op snn_op_gelu = {
    .type = SNN_OP_GELU, .name = "gelu", .kind = SNN_KIND_POINTWISE, .reads_input = 1};
