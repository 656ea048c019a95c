#include "ops/axes.h"

#include "base/status.h"

#include <inttypes.h>

enum { FIRST, LAST };

static void copy_dims(const snn_value *operand, snn_value *result)
{
    result->rank = operand->rank;
    for (int i = 1; i < operand->rank; i++)
        result->dims[i] = operand->dims[i];
}

snn_status snn_reduce_infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const char *name = snn_op_of(node->type)->name;
    int64_t *at = node->integers;
    for (int i = FIRST; i <= LAST; i++) {
        const snn_status status = snn_axis_check(name, operands[0], &at[i]);
        if (status)
            return status;
    }
    if (at[FIRST] > at[LAST])
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "%s: first must be at most last, got axes %" PRId64 " and %" PRId64, name, at[FIRST],
                        at[LAST]);
    copy_dims(operands[0], result);
    for (int64_t i = at[FIRST]; i <= at[LAST]; i++)
        result->dims[i] = 1;
    return SNN_OK;
}

static snn_axes axes_of(const snn_value *operand, int first, int last)
{
    return (snn_axes){snn_dims_product(operand, 1, first), snn_dims_product(operand, first, last + 1),
                      snn_dims_product(operand, last + 1, operand->rank)};
}

void snn_reduce_axes(const snn_node *node, const snn_value *operand, snn_axes *axes)
{
    *axes = axes_of(operand, (int)node->integers[FIRST], (int)node->integers[LAST]);
}

snn_status snn_axis_infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    copy_dims(operands[0], result);
    return snn_axis_check(snn_op_of(node->type)->name, operands[0], &node->integers[0]);
}

void snn_axis_axes(const snn_node *node, const snn_value *operand, snn_axes *axes)
{
    *axes = axes_of(operand, (int)node->integers[0], (int)node->integers[0]);
}
