/* x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), the approximation of GELU. */
#include "graph/op.h"

const snn_op snn_op_gelu_tanh = {.type = SNN_OP_GELU_TANH,
                                 .name = "gelu_tanh",
                                 .kind = SNN_KIND_POINTWISE,
                                 .minor = 4,
                                 .graph_minor = 4,
                                 .reads_input = 1};
