/* y = W x + b, W dense or CSR. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *x = operands[0];
    if (x->rank != 2)
        return snn_fail(SNN_ERROR_UNSUPPORTED, "linear: operand must have dims (batch, features), got %s",
                        snn_dims_show(x).text);
    if (x->dims[1] != node->inputs)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "linear: operand must have the weight's %" PRId64 " columns as features, got %s",
                        node->inputs, snn_dims_show(x).text);
    result->rank = 2;
    result->dims[1] = node->outputs;
    return SNN_OK;
}

const snn_op snn_op_linear = {
    .type = SNN_OP_LINEAR,
    .name = "linear",
    .kind = SNN_KIND_MATRIX,
    .infer = infer,
};
