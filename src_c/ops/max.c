/* The larger of a and b, value by value, broadcast as in numpy. */
#include "graph/op.h"
#include "graph/value.h"

const snn_op snn_op_max = {
    .type = SNN_OP_MAX,
    .name = "max",
    .kind = SNN_KIND_PAIR,
    .minor = 2,
    .is_graph = 1,
    .least_operands = 2,
    .most_operands = 2,
    .infer = snn_broadcast_infer,
};
