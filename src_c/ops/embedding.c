/* Row i of a constant (rows, features) for each value i, a whole number; below 0 they count from the end.
 * What is no row is NaN. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *x = operands[0], *table = operands[1];
    (void)node;
    if (x->constant || x->rank >= SNN_MAX_RANK)
        return snn_fail(SNN_ERROR_ARGUMENT, "embedding: x must be a value of at most %d dims, got %s",
                        SNN_MAX_RANK - 1, snn_dims_show(x).text);
    if (!table->constant || table->rank != 3)
        return snn_fail(SNN_ERROR_ARGUMENT, "embedding: table must be a constant (rows, features), got %s",
                        snn_dims_show(table).text);
    result->rank = x->rank + 1;
    result->dims[x->rank] = table->dims[2];
    return SNN_OK;
}

const snn_op snn_op_embedding = {
    .type = SNN_OP_EMBEDDING,
    .name = "embedding",
    .kind = SNN_KIND_LOOKUP,
    .minor = 4,
    .is_graph = 1,
    .least_operands = 2,
    .most_operands = 2,
    .infer = infer,
};
