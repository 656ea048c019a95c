/* x for x > 0, else alpha (exp(x) - 1). Source: Clevert, Unterthiner and Hochreiter 2016, arXiv:1511.07289.
 */
#include "base/status.h"
#include "graph/op.h"

#include <math.h>

static snn_status check(const float *attributes)
{
    const float alpha = attributes[0];
    if (!isfinite(alpha) || !(alpha > 0))
        return snn_fail(SNN_ERROR_ARGUMENT, "elu: alpha must be finite and above 0, got %g", (double)alpha);
    return SNN_OK;
}

const snn_op snn_op_elu = {
    .type = SNN_OP_ELU,
    .name = "elu",
    .kind = SNN_KIND_POINTWISE,
    .minor = 1,
    .attribute_count = 1,
    .attributes = {"alpha"},
    .check = check,
};
