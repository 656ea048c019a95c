/* One direction of a convolution: at each of its targets, a packed matrix times what a window of the source
 * holds there. The output is one field; the input gradient has one for every way in which positions of x lie
 * between the strides, so that no place of a window is multiplied in vain.
 *
 * Values are (height, width, channels) rows of a tile. A run is what neighbouring places of the window read:
 * rows of the source one after another, so that blocks of columns are read in place. Where a window reaches
 * over the border it is gathered, with zeros. */
#ifndef SNN_FIELD_H
#define SNN_FIELD_H

#include "train/train.h"

/* Places of the window that read neighbouring positions, the first of them (dh, dw) from where a target is.
 */
typedef struct snn_run {
    int64_t dh, dw;
} snn_run;

typedef struct snn_field {
    int64_t height, width, channels;            /* of the source */
    int64_t rows, target_width;                 /* channels and width of the target */
    int64_t down, across;                       /* how many targets */
    int64_t first_h, first_w, apart_h, apart_w; /* where they are: first + i apart */
    int64_t step_h, step_w;                     /* positions of the source from one to the next */
    int64_t run_count, run_places;
    int64_t groups; /* runs a row of places: 1 where all of a row are neighbours */
    snn_run *runs;
    int64_t run_columns;      /* of the matrix from one run to the next */
    int64_t run_blocks;       /* blocks of columns a run; 0: blocks do not keep to runs, all is gathered */
    int64_t least_h, least_w; /* of all runs */
    int64_t low_h, high_h, low_w, high_w; /* targets from low to high whose windows are all inside */
    const snn_kernel *kernel;
    int dense; /* every weight is there: panels (dense.h) in place of a packing, nothing gathered */
    snn_packing *packing;
    float *weights;
    snn_csr_tile inside; /* the packing's share, of blocks that are read in place */
} snn_field;

/* The places of a window along one axis: how far from a target each reads, rising; count of them. */
typedef struct snn_axis {
    int64_t count, *offsets;
    int32_t *of_kernel; /* which of them a place of the kernel is, -1: none */
} snn_axis;

/* Sets runs, blocks and borders, once sizes and steps are set. 0 when memory is out. */
int snn_field_place(snn_field *field, const snn_axis *down, const snn_axis *across);
/* The column of channel 0 of a place (h-th, w-th of the axes). */
int64_t snn_field_column(const snn_field *field, int64_t h, int64_t w);
/* Packs count weights with their rows, columns and numbers; position as in snn_take_names. */
int snn_field_pack(snn_field *field, const snn_isa *isa, int64_t count, const int32_t *rows,
                   const int32_t *columns, const int32_t *numbers, int32_t *position);
void snn_field_clear(snn_field *field);

static inline int64_t snn_field_columns(const snn_field *field)
{
    return field->run_count * field->run_columns;
}

/* What the window of target (i, j) holds of the source's tile: where the kernel reads it, with *packed the
 * packing that it reads it by. scratch (snn_field_columns, samples) */
const float *snn_field_window(const snn_field *field, const float *source, int64_t i, int64_t j,
                              float *scratch, const snn_csr_tile **packed);
/* The row of the target's tile at which target (i, j) begins. */
static inline int64_t snn_field_row(const snn_field *f, int64_t i, int64_t j)
{
    return ((f->first_h + i * f->apart_h) * f->target_width + f->first_w + j * f->apart_w) * f->rows;
}

#endif
