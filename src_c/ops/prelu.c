/* a for a > 0, else b a, value by value: the slopes b are broadcast to a. Source: He et al. 2015,
 * arXiv:1502.01852. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *x = operands[0], *slopes = operands[1];
    snn_status status = snn_broadcast_infer(node, operands, result);
    int same = status || result->rank == x->rank;
    for (int i = 1; !status && same && i < x->rank; i++)
        same = result->dims[i] == x->dims[i];
    if (!same)
        status = snn_fail(SNN_ERROR_ARGUMENT, "prelu: the slopes must fit the operand, got %s for %s",
                          snn_dims_show(slopes).text, snn_dims_show(x).text);
    return status;
}

const snn_op snn_op_prelu = {
    .type = SNN_OP_PRELU,
    .name = "prelu",
    .kind = SNN_KIND_PAIR,
    .minor = 2,
    .is_graph = 1,
    .least_operands = 2,
    .most_operands = 2,
    .infer = infer,
};
