/* Training inside the core: one CSR pattern packed in both directions. */
#ifndef SNN_TRAIN_H
#define SNN_TRAIN_H

#include "base/crowd.h"
#include "base/minmax.h"
#include "kernels/kernel.h"
#include "pack/pack.h"

/* W or its transpose, packed for the tile kernel. */
typedef struct snn_direction {
    int64_t rows, cols;
    const snn_kernel *kernel;
    snn_packing *packing;
    float *weights;    /* the packing's weights, all shares, one after another */
    int32_t *position; /* (nnz) where each weight of the CSR matrix stands in weights */
    int64_t *bounds;   /* (threads + 1) rows of each share */
    float *bias;       /* (rows + threads): a copy of the caller's, or zeros; kernels read behind the rows */
} snn_direction;

struct snn_sparse {
    const snn_isa *isa;
    int threads;
    int64_t rows, cols, nnz;
    int64_t *indptr; /* (rows + 1) */
    snn_direction forward, backward;
    float *gradient; /* in the order of forward.weights, lanes spare floats behind each share */
    float *dbias;    /* (rows + threads) */
    float *scratch;  /* tiles of the calls that take matrices */
    size_t scratch_floats;
    snn_crowd crowds[2]; /* of the steps of a recurrent cell, forward and back */
};

/* pattern.c: the tile kernel that training uses: four vectors of samples, as many rows as
 * isa->sampled_rows, one-byte indices. */
const snn_kernel *snn_training_kernel(const snn_isa *isa);

/* pattern.c: a weight's number p as a float, which packing carries along: never that of a zero that fills up.
 */
float snn_name_of(int64_t p);
/* Takes the names out of a packing's weights, which become zeros: position[p] is where weight p stands. */
void snn_take_names(snn_packing *packing, int32_t *position);

/* shape.c: height and width of what a window gives; an error where the shape is none. */
snn_status snn_check_conv_shape(const snn_conv_shape *shape, int64_t *out_height, int64_t *out_width);

/* ---- tiles.c: what products share ---- */

/* Samples of a tile of features, width each, begin at features times width. */
static inline float *snn_tile_of(snn_tiles tiles, int64_t index, int64_t width)
{
    return tiles.values + index * tiles.stride * width;
}
/* Whether tiles are count tiles of features and spare rows, and whether an activation can follow. */
snn_status snn_check_tiles(const char *name, snn_tiles tiles, int64_t count, int64_t features, int spare);
snn_status snn_check_activation(const snn_activation *a, int64_t count, int64_t features, int spare);
/* Of the way forward: bias (rows; NULL: zeros) -> own (rows); how the kernel ends a row. *left: the
 * activation that comes after it, none but where its argument z is kept. */
snn_epilogue snn_begin_forward(const snn_activation *a, const float *bias, int64_t rows, float *own,
                               snn_activation *left);
/* The packed share times x -> y, whose rows [first, end) it writes. Where one is NaN all are computed once
 * more by the weights that are not 0 alone: the kernel multiplies what it reads beside them by 0. */
void snn_run_share(const snn_isa *isa, const snn_kernel *kernel, const void *packed, const float *x, float *y,
                   int64_t first, int64_t end, const snn_epilogue *epilogue);
/* What follows the kernel on count values of y: the activation of z, or with made, its output, its slope. */
void snn_follow(const snn_isa *isa, const snn_activation *a, const float *made, const float *z, float *y,
                int64_t count);

/* ---- gradient.c ---- */

/* What a product read or gave, step after step in tile after tile: floats from one to the next. */
typedef struct snn_series {
    const float *values;
    int64_t tile, step;
} snn_series;
static inline const float *snn_series_at(snn_series series, int64_t tile, int64_t step)
{
    return series.values + tile * series.tile + step * series.step;
}
/* dW of rows [first_row, end_row), summed over all steps of all tiles -> ddata (nnz), of those rows alone;
 * the same of dy -> sparse->dbias. */
void snn_sparse_gradient(snn_sparse *sparse, int64_t tiles, int64_t steps, snn_series dy, snn_series x,
                         int64_t first_row, int64_t end_row, float *ddata);

/* ---- sparse.c ---- */

/* At least so many floats of scratch; NULL when memory is out. */
float *snn_sparse_scratch(snn_sparse *sparse, size_t floats);

/* ---- update.c ---- */

/* Copies weights [first, last) of the CSR matrix into the packings of an owner. */
typedef void (*snn_scatter)(const void *owner, const float *data, int64_t first, int64_t last);
void snn_sparse_scatter(const void *sparse, const float *data, int64_t first, int64_t last);

/* A pattern that an optimizer moves. */
typedef struct snn_moved {
    const snn_isa *isa;
    int threads;
    int64_t nnz;
    snn_scatter scatter;
    const void *owner;
} snn_moved;

snn_status snn_moved_set(const snn_moved *moved, const float *data);
snn_status snn_moved_update(const snn_moved *moved, const snn_update *options, float *data,
                            const float *ddata, float *first, float *second);

#endif
