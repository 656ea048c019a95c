/* 1 where a < b, else 0; broadcast as in numpy. */
#include "graph/op.h"
#include "graph/value.h"

const snn_op snn_op_less = {
    .type = SNN_OP_LESS,
    .name = "less",
    .kind = SNN_KIND_PAIR,
    .minor = 3,
    .is_graph = 1,
    .least_operands = 2,
    .most_operands = 2,
    .infer = snn_broadcast_infer,
};
