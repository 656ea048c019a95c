/* What a convolution or pool of a shape gives (train.h). */
#include "base/status.h"
#include "train/train.h"

enum { LARGEST = 1 << 20 }; /* as attributes of ops have it */

static snn_status check_axis(const char *name, int64_t size, int64_t kernel, int64_t stride, int64_t before,
                             int64_t after, int64_t dilation, int64_t *out)
{
    if (size < 1 || size > INT32_MAX || kernel < 1 || kernel > LARGEST || stride < 1 || stride > LARGEST ||
        before < 0 || before > LARGEST || after < 0 || after > LARGEST || dilation < 1 || dilation > LARGEST)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "shape must have %s, kernel, stride and dilation from 1 and padding from 0 to %d",
                        name, LARGEST);
    const int64_t room = size + before + after - dilation * (kernel - 1) - 1;
    if (room < 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "shape must have a window that fits into its %s", name);
    *out = room / stride + 1;
    return SNN_OK;
}

snn_status snn_check_conv_shape(const snn_conv_shape *s, int64_t *out_height, int64_t *out_width)
{
    if (!s || s->channels < 1 || s->channels > INT32_MAX)
        return snn_fail(SNN_ERROR_ARGUMENT, "shape must not be NULL and must have channels");
    const snn_status status = check_axis("height", s->height, s->kernel_h, s->stride_h, s->pad_top,
                                         s->pad_bottom, s->dilation_h, out_height);
    return status ? status
                  : check_axis("width", s->width, s->kernel_w, s->stride_w, s->pad_left, s->pad_right,
                               s->dilation_w, out_width);
}
