/* min(max(alpha x + beta, 0), 1). Source: Courbariaux, Bengio and David 2015, arXiv:1511.00363. */
#include "base/status.h"
#include "graph/op.h"

#include <math.h>

static snn_status check(const float *attributes)
{
    const float alpha = attributes[0], beta = attributes[1];
    if (!isfinite(alpha) || !(alpha > 0) || !isfinite(beta))
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "hard_sigmoid needs alpha above 0 and beta, both finite, got alpha = %g, beta = %g",
                        (double)alpha, (double)beta);
    return SNN_OK;
}

const snn_op snn_op_hard_sigmoid = {
    .type = SNN_OP_HARD_SIGMOID,
    .name = "hard_sigmoid",
    .kind = SNN_KIND_POINTWISE,
    .minor = 3,
    .graph_minor = 2,
    .attribute_count = 2,
    .attributes = {"alpha", "beta"},
    .check = check,
};
