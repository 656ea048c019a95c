/* b where a is not 0, else c; NaN where a is. Broadcast as in numpy. */
#include "graph/op.h"
#include "graph/value.h"

const snn_op snn_op_where = {
    .type = SNN_OP_WHERE,
    .name = "where",
    .kind = SNN_KIND_PAIR,
    .minor = 3,
    .is_graph = 1,
    .least_operands = 3,
    .most_operands = 3,
    .infer = snn_broadcast_infer,
};
