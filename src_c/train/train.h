/* Training inside the core: one CSR pattern packed in both directions. */
#ifndef SNN_TRAIN_H
#define SNN_TRAIN_H

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
};

/* pattern.c: the tile kernel that training uses: four vectors of samples, as many rows as
 * isa->sampled_rows, one-byte indices. */
const snn_kernel *snn_training_kernel(const snn_isa *isa);

/* Copies weights [first, last) of the CSR matrix into both packings. */
void snn_sparse_scatter(snn_sparse *sparse, const float *data, int64_t first, int64_t last);

#endif
