/* A layer's weights in the layout that one kernel reads (kernel.h), cut into shares of rows.
 * A share is what one thread computes when threads split a layer by rows; a thread that takes a tile
 * through all layers runs all shares. The order of additions within a row of y is that of the columns,
 * whatever the packing, so neither shares nor tiles change a bit of a result. */
#ifndef SNN_PACK_H
#define SNN_PACK_H

#include "kernels/kernel.h"

/* A borrowed CSR matrix. */
typedef struct snn_csr {
    int64_t rows, cols;
    const int64_t *indptr;
    const int32_t *indices;
    const float *data;
} snn_csr;

typedef struct snn_packing {
    const snn_kernel *kernel; /* it was made for that one; others may read it */
    snn_format format;
    int shape;       /* as snn_kernel.shape; 0 when dense */
    int64_t k_block; /* CSR: columns a block or a window; 0 when dense */
    int share_count;
    size_t share_size; /* bytes of the struct of one share */
    void *shares;      /* (share_count) snn_csr_tile, snn_csr_column, snn_sell or snn_dense */
    int64_t *bounds;   /* (share_count + 1) share s holds rows [bounds[s], bounds[s + 1]); NULL: not a run */
    void *memory;      /* what the shares point into */
    size_t bytes;
    int64_t entries; /* weights as packed, padding included */
    int told;        /* share s holds the rows that it was told to */
    int fills_up;    /* tile layout: some panel has fewer rows than its height, and writes a row behind the
                        others */
    int users;       /* plans that read it, where several share it */
    struct snn_packing *next;
} snn_packing;

/* Rows [bounds[i], bounds[i + 1]) for each share, with about the same number of stored weights.
 * Bounds are multiples of 16 rows but for the last. bounds (share_count + 1). */
void snn_split_rows(const snn_csr *csr, int share_count, int64_t *bounds);

/* Whether two kernels, each with so many columns a block or a window, read the same packing. */
int snn_same_packing(const snn_kernel *kernel, int64_t k_block, const snn_kernel *other, int64_t other_block);
/* Columns a block may have at most: what an index can tell apart. */
int64_t snn_largest_block(const snn_kernel *kernel);
/* Packs for kernel. k_block is read for CSR in the tile layout: a number in [1, snn_largest_block(kernel)].
 * bounds (share_count + 1): the rows of each share. NULL when memory is out. */
snn_packing *snn_pack(const snn_csr *csr, const snn_isa *isa, const snn_kernel *kernel, int64_t k_block,
                      int share_count, const int64_t *bounds);
/* The same in the column layout, where every share holds just its rows. Bounds are multiples of 16. */
snn_packing *snn_pack_told(const snn_csr *csr, const snn_isa *isa, const snn_kernel *kernel, int share_count,
                           const int64_t *bounds);
/* Weights that panels of each of count heights take, zeros included: near nnz where rows share their columns.
 * 0 when memory is out. */
int snn_panel_slots(const snn_csr *csr, const int *heights, int count, int64_t *slots);
void snn_packing_free(snn_packing *packing);

/* The share at index, as the kernel takes it. */
static inline const void *snn_share(const snn_packing *packing, int index)
{
    return (const char *)packing->shares + (size_t)index * packing->share_size;
}

static inline int64_t snn_row_length(const snn_csr *csr, int64_t row)
{
    return csr->indptr[row + 1] - csr->indptr[row];
}
/* Rows [first, end) in order of their number of weights, most first; rows of as many stay in order. order
 * (end - first). 0 when memory is out. */
int snn_sort_rows(const snn_csr *csr, int64_t first, int64_t end, int32_t *order);

/* One layout each; return 0 when memory is out. Share s of the tile layout may write row csr->rows + s of y,
 * where rows that fill up a panel go. */
int snn_pack_csr_tile(const snn_csr *csr, const snn_kernel *kernel, int64_t k_block, int share_count,
                      const int64_t *bounds, snn_packing *packing);
int snn_pack_panel(const snn_csr *csr, int height, int64_t k_block, int share_count, snn_packing *packing);
int snn_pack_sell(const snn_csr *csr, int lanes, int share_count, const int64_t *bounds,
                  snn_packing *packing);
/* bounds NULL: shares of about as many chunks. */
int snn_pack_csr_column(const snn_csr *csr, int lanes, int64_t column_block, int windows, int share_count,
                        const int64_t *bounds, snn_packing *packing);
int snn_pack_dense(const snn_csr *csr, int share_count, const int64_t *bounds, snn_packing *packing);

/* The weights of a packing that are not zero; lanes of the ISA.
 * The arrays are the caller's to free with snn_free, on failure too; 0 when memory is out. */
int snn_unpack(const snn_packing *packing, int lanes, int64_t rows, int64_t cols, snn_csr *csr);

#endif
