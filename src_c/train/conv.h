/* A convolution while it is trained: its weight packed once for the output, and for the input's gradient. */
#ifndef SNN_CONV_H
#define SNN_CONV_H

#include "train/field.h"

/* The weight gradient is added up in so many parts of tiles and positions, which threads share: how many does
 * not depend on threads, so neither do the bits. */
enum { SNN_CONV_PARTS = 8 };

struct snn_conv {
    const snn_isa *isa;
    const snn_kernel *kernel;
    int threads;
    int dense; /* every weight is there: dense.h */
    snn_conv_shape shape;
    int64_t rows, nnz, out_height, out_width;
    snn_field forward;
    int32_t *forward_position; /* (nnz) in forward.weights */
    snn_field *backward;       /* (backward_count) */
    int backward_count;
    int bare; /* some positions of x belong to no field: nothing comes back to them */
    int32_t *backward_position, *field_of; /* (nnz); -1: padding alone meets that weight */
    float **tables;                        /* (backward_count) the weights of each field */
    float *bias, *zeros;                   /* (rows + 1), (channels + 1): kernels read one more */
    size_t scratch_floats;
    float *scratch; /* (threads, scratch_floats): a window, and rows that cannot be written in place */
    size_t gradient_stride;      /* from one part to the next */
    float *gradient, *dbias;     /* (SNN_CONV_PARTS, gradient_stride), (SNN_CONV_PARTS, rows + 1); dense: sums
                                    of items and of rows */
    float *x_panels, *dy_panels; /* dense: a chunk of samples */
};

static inline snn_moved snn_conv_moved(const snn_conv *conv, snn_scatter scatter)
{
    return (snn_moved){conv->isa, conv->threads, conv->nnz, scatter, conv};
}

#endif
