/* A convolution of which every weight is there: nothing is looked up.
 *
 * The sums of a target are those of its runs (field.h), each read in place and as far as it lies in the
 * source, so that nothing is gathered. The weight gradient is a product over samples and positions: x and dy
 * are turned into panels first, a chunk of samples at a time, x with its padding. */
#ifndef SNN_TRAIN_DENSE_H
#define SNN_TRAIN_DENSE_H

#include "train/conv.h"

static inline int64_t snn_panels_of(int64_t rows) { return (rows + SNN_TRAIN_ROWS - 1) / SNN_TRAIN_ROWS; }

/* As snn_field_pack, of every weight. */
int snn_dense_pack(snn_field *field, int64_t count, const int32_t *rows, const int32_t *columns,
                   const int32_t *numbers, int32_t *position);
/* y (rows, samples) of target (i, j), without an activation. */
void snn_dense_target(const snn_isa *isa, const snn_field *field, const float *source, int64_t i, int64_t j,
                      const float *bias, float *y);

/* Whether a shape goes this way: channels fill at least half of the panels, and padding is not most of what
 * is turned. */
int snn_dense_suits(const snn_isa *isa, const snn_conv_shape *shape);
/* Makes its buffers; 0 when memory is out. */
int snn_dense_prepare(snn_conv *conv);
/* ddata (nnz) and dbias (rows, or NULL), of at least one tile. */
void snn_dense_gradient(snn_conv *conv, snn_tiles dy, snn_tiles x, float *ddata, float *dbias);

#endif
