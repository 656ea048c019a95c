/* min(max(x, low), high): the clipped ReLU. */
#include "base/status.h"
#include "graph/op.h"

#include <math.h>

static snn_status check(const float *attributes)
{
    const float low = attributes[0], high = attributes[1];
    if (!isfinite(low) || !isfinite(high) || !(low < high))
        return snn_fail(SNN_ERROR_ARGUMENT, "clip needs low < high, both finite, got low = %g and high = %g",
                        (double)low, (double)high);
    return SNN_OK;
}

const snn_op snn_op_clip = {
    .type = SNN_OP_CLIP,
    .name = "clip",
    .kind = SNN_KIND_POINTWISE,
    .attribute_count = 2,
    .attributes = {"low", "high"},
    .check = check,
};
