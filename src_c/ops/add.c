/* a + b, value by value, broadcast as in numpy. */
#include "graph/op.h"
#include "graph/value.h"

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    (void)node;
    return snn_broadcast_dims("add", operands[0], operands[1], result);
}

const snn_op snn_op_add = {
    .type = SNN_OP_ADD,
    .name = "add",
    .kind = SNN_KIND_PAIR,
    .is_graph = 1,
    .least_operands = 2,
    .most_operands = 2,
    .infer = infer,
};
