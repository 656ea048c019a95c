#include "ops/axis_norm.h"

#include "base/status.h"
#include "ops/axes.h"

#include <inttypes.h>
#include <math.h>

snn_status snn_axis_norm_check(const float *attributes)
{
    if (!(attributes[0] >= 0.0f && isfinite(attributes[0])))
        return snn_fail(SNN_ERROR_ARGUMENT, "epsilon must be finite and at least 0, got %g",
                        (double)attributes[0]);
    return SNN_OK;
}

snn_status snn_axis_norm_infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    static const char *const names[] = {"x", "scale", "shift"};
    const char *op = snn_op_of(node->type)->name;
    if (operands[0]->constant)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: x must be no constant, got %s", op,
                        snn_dims_show(operands[0]).text);
    const snn_status status = snn_axis_infer(node, operands, result);
    if (status)
        return status;
    const int64_t places = operands[0]->dims[node->integers[0]];
    for (int64_t i = 1; i < node->operand_count; i++)
        if (!operands[i]->constant || operands[i]->rank != 2 || operands[i]->dims[1] != places)
            return snn_fail(SNN_ERROR_ARGUMENT,
                            "%s: %s must be a constant of what axis %" PRId64 " of %s has, got %s", op,
                            names[i], node->integers[0], snn_dims_show(operands[0]).text,
                            snn_dims_show(operands[i]).text);
    return SNN_OK;
}
