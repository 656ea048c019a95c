/* x for x > 0, else slope x. Source: Maas, Hannun and Ng 2013, Rectifier Nonlinearities Improve Neural
 * Network Acoustic Models. */
#include "base/status.h"
#include "graph/op.h"

#include <math.h>

static snn_status check(const float *attributes)
{
    if (!isfinite(attributes[0]))
        return snn_fail(SNN_ERROR_ARGUMENT, "leaky_relu: slope must be finite, got %g",
                        (double)attributes[0]);
    return SNN_OK;
}

const snn_op snn_op_leaky_relu = {
    .type = SNN_OP_LEAKY_RELU,
    .name = "leaky_relu",
    .kind = SNN_KIND_POINTWISE,
    .minor = 2,
    .attribute_count = 1,
    .attributes = {"slope"},
    .reads_input = 1,
    .check = check,
};
