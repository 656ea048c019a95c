/* log(1 + exp(x)). Source: Dugas et al. 2001, Incorporating Second-Order Functional Knowledge for Better
 * Option Pricing. */
#include "graph/op.h"

const snn_op snn_op_softplus = {
    .type = SNN_OP_SOFTPLUS,
    .name = "softplus",
    .kind = SNN_KIND_POINTWISE,
    .minor = 3,
    .graph_minor = 2,
    .reads_input = 1,
};
