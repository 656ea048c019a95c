/* 1 where a is b, else 0; broadcast as in numpy. */
#include "graph/op.h"
#include "graph/value.h"

const snn_op snn_op_equal = {
    .type = SNN_OP_EQUAL,
    .name = "equal",
    .kind = SNN_KIND_PAIR,
    .minor = 3,
    .is_graph = 1,
    .least_operands = 2,
    .most_operands = 2,
    .infer = snn_broadcast_infer,
};
