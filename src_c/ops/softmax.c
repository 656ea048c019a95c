/* exp(x) / sum(exp(x)) over the features of a position. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    (void)node;
    if (operands[0]->rank != 2)
        return snn_fail(SNN_ERROR_UNSUPPORTED, "softmax: operand must have dims (batch, features), got %s",
                        snn_dims_show(operands[0]).text);
    result->rank = 2;
    result->dims[1] = operands[0]->dims[1];
    return SNN_OK;
}

static void axes(const snn_node *node, const snn_value *operand, snn_axes *axes)
{
    (void)node;
    *axes = (snn_axes){1, operand->dims[1], 1};
}

const snn_op snn_op_softmax = {
    .type = SNN_OP_SOFTMAX,
    .name = "softmax",
    .kind = SNN_KIND_SOFTMAX,
    .infer = infer,
    .axes = axes,
};
