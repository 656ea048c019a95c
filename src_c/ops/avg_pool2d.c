/* The mean of each channel in a window: of its values, or of padding (0) too with count_include_pad. */
#include "ops/window.h"

#include "base/status.h"

#include <inttypes.h>

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const int64_t *n = node->integers, counts = n[SNN_PAD_RIGHT + 1];
    if (counts != 0 && counts != 1)
        return snn_fail(SNN_ERROR_ARGUMENT, "avg_pool2d: count_include_pad must be 0 or 1, got %" PRId64,
                        counts);
    const snn_status status = snn_window_infer(node, operands[0], result);
    for (int i = 0; status == SNN_OK && i < 2; i++)
        if (n[SNN_PAD_TOP + i] >= n[SNN_KERNEL_H + i] || n[SNN_PAD_BOTTOM + i] >= n[SNN_KERNEL_H + i])
            return snn_fail(SNN_ERROR_ARGUMENT,
                            "avg_pool2d: padding must be below the kernel of %" PRId64 ", got %" PRId64
                            " and %" PRId64,
                            n[SNN_KERNEL_H + i], n[SNN_PAD_TOP + i], n[SNN_PAD_BOTTOM + i]);
    return status;
}

const snn_op snn_op_avg_pool2d = {
    .type = SNN_OP_AVG_POOL2D,
    .name = "avg_pool2d",
    .kind = SNN_KIND_POOL,
    .minor = 1,
    .is_graph = 1,
    .integer_count = 9,
    .integers = {SNN_WINDOW_INTEGERS, "count_include_pad"},
    .takes_negative = 1,
    .own_minor = snn_window_minor,
    .infer = infer,
    .window = snn_window_of,
};
