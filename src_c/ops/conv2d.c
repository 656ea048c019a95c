/* y = W windows(x) + b at every position: W (channels out, channels in * kernel_h * kernel_w), dense or CSR.
 */
#include "base/status.h"
#include "ops/window.h"

#include <inttypes.h>

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_status status = snn_window_infer(node, operands[0], result);
    if (status != SNN_OK)
        return status;
    const int64_t channels = operands[0]->dims[1];
    const int64_t places = node->integers[SNN_KERNEL_H] * node->integers[SNN_KERNEL_W];
    if (node->cols % places != 0 || node->cols / places != channels)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "conv2d: the weight must have a column for each of %" PRId64
                        " places of a window in %" PRId64 " channels, got %" PRId64 " columns",
                        places, channels, node->cols);
    result->dims[1] = node->rows;
    return SNN_OK;
}

const snn_op snn_op_conv2d = {
    .type = SNN_OP_CONV2D,
    .name = "conv2d",
    .kind = SNN_KIND_MATRIX,
    .minor = 1,
    .is_graph = 1,
    .integer_count = 10,
    .integers = {SNN_WINDOW_INTEGERS, "dilation_h", "dilation_w"},
    .takes_negative = 1,
    .own_minor = snn_window_minor,
    .infer = infer,
    .window = snn_window_of,
};
