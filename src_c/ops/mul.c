/* a b, value by value, broadcast as in numpy. */
#include "graph/op.h"
#include "graph/value.h"

const snn_op snn_op_mul = {
    .type = SNN_OP_MUL,
    .name = "mul",
    .kind = SNN_KIND_PAIR,
    .is_graph = 1,
    .least_operands = 2,
    .most_operands = 2,
    .infer = snn_broadcast_infer,
};
