/* Windows of convolutions and pools in training at random; after perturbed_threads.h, whose chance it takes.
 */
#ifndef SNN_TEST_RANDOM_WINDOW_H
#define SNN_TEST_RANDOM_WINDOW_H

#include "sparsenn.h"
#include "sparsenn_train.h"

static inline int64_t from(int64_t low, int64_t high) { return low + chance((int)(high - low + 1)); }

static inline snn_conv_shape random_window(int64_t channels)
{
    snn_conv_shape s = {.channels = channels};
    s.kernel_h = from(1, 3);
    s.kernel_w = from(1, 4);
    s.stride_h = from(1, 3);
    s.stride_w = from(1, 3);
    s.pad_top = from(0, 2);
    s.pad_left = from(0, 2);
    s.pad_bottom = from(0, 2);
    s.pad_right = from(0, 2);
    s.dilation_h = from(1, 2);
    s.dilation_w = from(1, 2);
    s.height = from(1, 6);
    s.width = from(1, 6);
    return s;
}

/* How many windows there are along an axis; below 1: none fits. */
static inline int64_t windows(int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t stride,
                              int64_t dilation)
{
    const int64_t room = size + before + after - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

static inline int64_t windows_down(const snn_conv_shape *s)
{
    return windows(s->height, s->pad_top, s->pad_bottom, s->kernel_h, s->stride_h, s->dilation_h);
}

static inline int64_t windows_across(const snn_conv_shape *s)
{
    return windows(s->width, s->pad_left, s->pad_right, s->kernel_w, s->stride_w, s->dilation_w);
}

#endif
