/* The largest value of each channel in a window; padding counts as minus infinity, a NaN makes NaN. */
#include "ops/window.h"

#include "base/status.h"

#include <inttypes.h>

/* Whether each place of a window along a dim holds a value of the operand. */
static int all_hold(int64_t size, int64_t made, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation)
{
    if (size != SNN_DYNAMIC && (made - 1) * stride - pad >= size)
        return 0;
    for (int64_t at = -pad; at < 0; at += stride) {
        const int64_t step = (-at + dilation - 1) / dilation;
        if (step >= kernel || (size != SNN_DYNAMIC && at + step * dilation >= size))
            return 0;
        if (size != SNN_DYNAMIC && (at + pad) / stride + 1 == made)
            break;
    }
    return 1;
}

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const int64_t *n = node->integers;
    const snn_status status = snn_window_infer(node, operands[0], result);
    for (int i = 0; status == SNN_OK && !snn_window_is_open(node) && i < 2; i++)
        if (!all_hold(operands[0]->dims[2 + i], result->dims[2 + i], n[SNN_KERNEL_H + i], n[SNN_STRIDE_H + i],
                      n[SNN_PAD_TOP + i], n[SNN_DILATION_H + i]))
            return snn_fail(SNN_ERROR_ARGUMENT,
                            "max_pool2d: every window must hold a value of the operand, got padding %" PRId64
                            " and %" PRId64 " beside a kernel of %" PRId64,
                            n[SNN_PAD_TOP + i], n[SNN_PAD_BOTTOM + i], n[SNN_KERNEL_H + i]);
    return status;
}

const snn_op snn_op_max_pool2d = {
    .type = SNN_OP_MAX_POOL2D,
    .name = "max_pool2d",
    .kind = SNN_KIND_POOL,
    .minor = 1,
    .is_graph = 1,
    .integer_count = 10,
    .integers = {SNN_WINDOW_INTEGERS, "dilation_h", "dilation_w"},
    .takes_negative = 1,
    .own_minor = snn_window_minor,
    .infer = infer,
    .window = snn_window_of,
};
