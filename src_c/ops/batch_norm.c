/* scale (x - mean) / sqrt(variance + epsilon) + shift, each of the four a constant (channels); momentum is
 * training's alone. Plans fold it: plan/fold.c. Source: Ioffe and Szegedy 2015, arXiv:1502.03167. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>
#include <math.h>

static snn_status check(const float *attributes)
{
    if (!(attributes[0] >= 0.0f && isfinite(attributes[0])))
        return snn_fail(SNN_ERROR_ARGUMENT, "batch_norm needs a finite epsilon of at least 0, got %g",
                        (double)attributes[0]);
    if (!(attributes[1] >= 0.0f && attributes[1] <= 1.0f))
        return snn_fail(SNN_ERROR_ARGUMENT, "batch_norm needs a momentum in [0, 1], got %g",
                        (double)attributes[1]);
    return SNN_OK;
}

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    static const char *const names[] = {"x", "scale", "shift", "mean", "variance"};
    const snn_value *x = operands[0];
    (void)node;
    (void)result; // has the dims of x
    if (x->constant || x->rank < 2 || x->dims[1] == SNN_DYNAMIC)
        return snn_fail(SNN_ERROR_ARGUMENT, "batch_norm: x must have dims (batch, channels, ...), got %s",
                        snn_dims_show(x).text);
    for (int i = 1; i < 5; i++)
        if (!operands[i]->constant || operands[i]->rank != 2 || operands[i]->dims[1] != x->dims[1])
            return snn_fail(SNN_ERROR_ARGUMENT,
                            "batch_norm: %s must be a constant of x's %" PRId64 " channels, got %s", names[i],
                            x->dims[1], snn_dims_show(operands[i]).text);
    return SNN_OK;
}

const snn_op snn_op_batch_norm = {
    .type = SNN_OP_BATCH_NORM,
    .name = "batch_norm",
    .kind = SNN_KIND_NORM,
    .minor = 3,
    .is_graph = 1,
    .least_operands = 5,
    .most_operands = 5,
    .attribute_count = 2,
    .attributes = {"epsilon", "momentum"},
    .check = check,
    .infer = infer,
};
