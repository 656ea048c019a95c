#include "ops/window.h"

#include "base/status.h"

#include <inttypes.h>

enum { LARGEST = 1 << 20 }; /* of a window's numbers: none of the products overflows */

static snn_status check_numbers(const snn_op *op, const int64_t *numbers, int count)
{
    const int64_t rule = numbers[SNN_PAD_TOP];
    const int is_rule = rule == SNN_SAME_UPPER || rule == SNN_SAME_LOWER;
    for (int i = 0; i < count; i++) {
        const int is_pad = i >= SNN_PAD_TOP && i <= SNN_PAD_RIGHT;
        if (is_pad && is_rule && numbers[i] == rule)
            continue;
        const int64_t least = is_pad ? 0 : 1;
        if (numbers[i] < least || numbers[i] > LARGEST)
            return snn_fail(SNN_ERROR_ARGUMENT, "%s: %s must be in [%" PRId64 ", %d], got %" PRId64, op->name,
                            op->integers[i], least, LARGEST, numbers[i]);
    }
    if (is_rule)
        for (int i = SNN_PAD_TOP; i <= SNN_PAD_RIGHT; i++)
            if (numbers[i] != rule)
                return snn_fail(SNN_ERROR_ARGUMENT, "%s: %s must be %" PRId64 " as %s is, got %" PRId64,
                                op->name, op->integers[i], rule, op->integers[SNN_PAD_TOP], numbers[i]);
    return SNN_OK;
}

/* Places of a window along one dim; 0 where it does not fit. */
static int64_t places(int64_t size, int64_t kernel, int64_t stride, int64_t pads, int64_t dilation)
{
    const int64_t room = size + pads - (dilation * (kernel - 1) + 1);
    return room < 0 ? 0 : room / stride + 1;
}

/* Numbers in place of a rule, for the sizes of an image. */
static void set_pads(int64_t *n, int dilated, const int64_t *sizes)
{
    const int upper = n[SNN_PAD_TOP] == SNN_SAME_UPPER;
    for (int i = 0; i < 2; i++) {
        const int64_t stride = n[SNN_STRIDE_H + i], dilation = dilated ? n[SNN_DILATION_H + i] : 1;
        const int64_t room = (sizes[i] - 1) / stride * stride + dilation * (n[SNN_KERNEL_H + i] - 1) + 1;
        const int64_t more = room > sizes[i] ? room - sizes[i] : 0;
        n[SNN_PAD_TOP + i] = upper ? more / 2 : more - more / 2;
        n[SNN_PAD_BOTTOM + i] = more - n[SNN_PAD_TOP + i];
    }
}

/* Whether an op has all ten numbers. */
static int is_dilated(const snn_op *op) { return op->integer_count > SNN_DILATION_W; }

snn_status snn_window_infer(snn_node *node, const snn_value *operand, snn_value *result)
{
    const snn_op *op = snn_op_of(node->type);
    int64_t *n = node->integers;
    const int dilated = is_dilated(op);
    if (operand->rank != 4 || operand->dims[1] == SNN_DYNAMIC)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "%s: operand must have dims (batch, channels, height, width), got %s", op->name,
                        snn_dims_show(operand).text);
    const snn_status status = check_numbers(op, n, dilated ? SNN_DILATION_W + 1 : SNN_PAD_RIGHT + 1);
    if (status != SNN_OK)
        return status;
    result->rank = 4;
    result->dims[1] = operand->dims[1];
    if (snn_window_is_open(node) && operand->dims[2] != SNN_DYNAMIC && operand->dims[3] != SNN_DYNAMIC)
        set_pads(n, dilated, operand->dims + 2);
    for (int i = 0; i < 2; i++) {
        const int64_t size = operand->dims[2 + i], pads = n[SNN_PAD_TOP + i] + n[SNN_PAD_BOTTOM + i];
        const int64_t dilation = dilated ? n[SNN_DILATION_H + i] : 1;
        const int64_t made = snn_window_is_open(node)
                                 ? (size - 1) / n[SNN_STRIDE_H + i] + 1
                                 : places(size, n[SNN_KERNEL_H + i], n[SNN_STRIDE_H + i], pads, dilation);
        if (size != SNN_DYNAMIC && made == 0)
            return snn_fail(SNN_ERROR_ARGUMENT,
                            "%s: %s must fit into %" PRId64 " with its padding, got %" PRId64, op->name,
                            op->integers[SNN_KERNEL_H + i], size, n[SNN_KERNEL_H + i]);
        result->dims[2 + i] = size == SNN_DYNAMIC ? SNN_DYNAMIC : made;
    }
    return SNN_OK;
}

int snn_window_minor(const snn_node *node) { return snn_window_is_open(node) ? 3 : 0; }

void snn_window_of(const snn_node *node, const snn_value *operand, snn_window *window)
{
    const int64_t *n = node->integers;
    const int dilated = is_dilated(snn_op_of(node->type));
    *window = (snn_window){.channels = operand->dims[1],
                           .height = operand->dims[2],
                           .width = operand->dims[3],
                           .kernel_h = n[SNN_KERNEL_H],
                           .kernel_w = n[SNN_KERNEL_W],
                           .stride_h = n[SNN_STRIDE_H],
                           .stride_w = n[SNN_STRIDE_W],
                           .pad_top = n[SNN_PAD_TOP],
                           .pad_left = n[SNN_PAD_LEFT],
                           .pad_bottom = n[SNN_PAD_BOTTOM],
                           .pad_right = n[SNN_PAD_RIGHT],
                           .dilation_h = dilated ? n[SNN_DILATION_H] : 1,
                           .dilation_w = dilated ? n[SNN_DILATION_W] : 1};
    window->out_height = places(window->height, window->kernel_h, window->stride_h,
                                n[SNN_PAD_TOP] + n[SNN_PAD_BOTTOM], window->dilation_h);
    window->out_width = places(window->width, window->kernel_w, window->stride_w,
                               n[SNN_PAD_LEFT] + n[SNN_PAD_RIGHT], window->dilation_w);
    window->x_plane = window->height * window->width;
    window->y_plane = window->out_height * window->out_width;
}
