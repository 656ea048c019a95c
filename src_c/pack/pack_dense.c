/* CSR or dense weights -> panels of SNN_DENSE_ROWS rows, [panel][k][row]. */
#include "base/memory.h"
#include "pack/pack.h"

int snn_pack_dense(const snn_csr *csr, int share_count, const int64_t *bounds, snn_packing *packing)
{
    size_t panels = 0;
    for (int share = 0; share < share_count; share++)
        panels += (size_t)((bounds[share + 1] - bounds[share] + SNN_DENSE_ROWS - 1) / SNN_DENSE_ROWS);
    const size_t panel_size = (size_t)csr->cols * SNN_DENSE_ROWS;
    if (panels && panel_size > (SIZE_MAX - 16) / panels)
        return 0;
    const size_t count = panels * panel_size + 16;
    snn_dense *shares = snn_alloc((size_t)share_count, sizeof *shares);
    float *weights = snn_alloc(count, sizeof *weights);
    packing->shares = shares;
    packing->memory = weights;
    packing->share_size = sizeof *shares;
    packing->bytes = count * sizeof *weights;
    packing->entries = (int64_t)(panels * panel_size);
    if (!shares || !weights)
        return 0;
    for (int share = 0; share < share_count; share++) {
        const int64_t first = bounds[share], end = bounds[share + 1];
        shares[share] = (snn_dense){
            .first_row = first, .row_count = end - first, .columns = csr->cols, .weights = weights};
        for (int64_t row = first; row < end; row++) {
            const int64_t at = row - first;
            float *panel = weights + (size_t)(at / SNN_DENSE_ROWS) * panel_size + at % SNN_DENSE_ROWS;
            for (int64_t p = csr->indptr[row]; p < csr->indptr[row + 1]; p++)
                panel[(size_t)csr->indices[p] * SNN_DENSE_ROWS] = csr->data[p];
        }
        weights += (size_t)((end - first + SNN_DENSE_ROWS - 1) / SNN_DENSE_ROWS) * panel_size;
    }
    return 1;
}
