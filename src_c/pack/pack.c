/* Choosing a layout's packer, and cutting rows into shares. */
#include "pack/pack.h"

#include "base/memory.h"

#include <string.h>

void snn_split_rows(const snn_csr *csr, int share_count, int64_t *bounds)
{
    const int64_t unit = SNN_DENSE_ROWS;
    const int64_t nnz = csr->indptr[csr->rows];
    bounds[0] = 0;
    for (int share = 1; share < share_count; share++) {
        // A row costs its weights and about as much as eight more for its sums.
        const double wanted = (double)(nnz + 8 * csr->rows) * share / share_count;
        int64_t low = bounds[share - 1], high = csr->rows;
        while (low < high) {
            const int64_t middle = low + (high - low) / 2;
            if ((double)(csr->indptr[middle] + 8 * middle) < wanted)
                low = middle + 1;
            else
                high = middle;
        }
        int64_t bound = (low + unit / 2) / unit * unit;
        if (bound < bounds[share - 1])
            bound = bounds[share - 1];
        bounds[share] = bound < csr->rows ? bound : csr->rows;
    }
    bounds[share_count] = csr->rows;
}

int snn_sort_rows(const snn_csr *csr, int64_t first, int64_t end, int32_t *order)
{
    int64_t longest = 0;
    for (int64_t r = first; r < end; r++)
        longest = snn_row_length(csr, r) > longest ? snn_row_length(csr, r) : longest;
    int64_t *start = snn_alloc((size_t)longest + 2, sizeof *start); // a counting sort
    if (!start)
        return 0;
    for (int64_t r = first; r < end; r++)
        start[longest - snn_row_length(csr, r) + 1]++;
    for (int64_t c = 0; c <= longest; c++)
        start[c + 1] += start[c];
    for (int64_t r = first; r < end; r++)
        order[start[longest - snn_row_length(csr, r)]++] = (int32_t)r;
    snn_free(start);
    return 1;
}

int64_t snn_largest_block(const snn_kernel *kernel)
{
    return kernel->index_bytes == 1 ? 256 : 65536 / (kernel->samples / 2);
}

int snn_same_packing(const snn_kernel *kernel, int64_t k_block, const snn_kernel *other, int64_t other_block)
{
    if (kernel->format != other->format)
        return 0;
    return kernel->format == SNN_FORMAT_DENSE ||
           (kernel->layout == other->layout && kernel->shape == other->shape && k_block == other_block &&
            kernel->index_bytes == other->index_bytes &&
            (kernel->layout == SNN_LAYOUT_COLUMN || kernel->index_bytes != 2 ||
             kernel->samples == other->samples));
}

/* Which rows each share holds, where they are a run: not where rows were sorted. 0 when memory is out. */
static int note_bounds(const snn_csr *csr, const int64_t *bounds, snn_packing *packing)
{
    const snn_kernel *kernel = packing->kernel;
    const int column = kernel->format == SNN_FORMAT_CSR && kernel->layout == SNN_LAYOUT_COLUMN;
    const snn_csr_column *shares = packing->shares;
    if (packing->bounds || kernel->format == SNN_FORMAT_PANEL || (column && shares[0].lanes.rows))
        return 1;
    packing->bounds = snn_alloc((size_t)packing->share_count + 1, sizeof *packing->bounds);
    if (!packing->bounds)
        return 0;
    for (int s = 0; s < packing->share_count; s++) {
        const int64_t first =
            column ? shares[s].lanes.first_row : bounds[s]; // of none: behind the last panel
        packing->bounds[s] = first < csr->rows ? first : csr->rows;
    }
    packing->bounds[packing->share_count] = csr->rows;
    return 1;
}

static snn_packing *make(const snn_csr *csr, const snn_isa *isa, const snn_kernel *kernel, int64_t k_block,
                         int share_count, const int64_t *bounds, int told)
{
    snn_packing *packing = snn_alloc(1, sizeof *packing);
    if (!packing)
        return NULL;
    packing->kernel = kernel;
    packing->format = kernel->format;
    packing->shape = kernel->format == SNN_FORMAT_DENSE ? 0 : kernel->shape;
    packing->share_count = share_count;
    packing->told = told;
    int packed;
    if (kernel->format == SNN_FORMAT_DENSE) {
        packed = snn_pack_dense(csr, share_count, bounds, packing);
    } else if (kernel->format == SNN_FORMAT_PANEL) {
        packing->k_block = k_block;
        packed = snn_pack_panel(csr, kernel->shape, k_block, share_count, packing);
    } else if (kernel->format == SNN_FORMAT_SELL) {
        packed = snn_pack_sell(csr, isa->lanes, share_count, bounds, packing);
    } else if (kernel->layout == SNN_LAYOUT_TILE) {
        packing->k_block = k_block;
        packed = snn_pack_csr_tile(csr, kernel, k_block, share_count, bounds, packing);
    } else {
        packing->k_block = kernel->window;
        packed = snn_pack_csr_column(csr, isa->lanes, kernel->window, kernel->shape, share_count,
                                     told ? bounds : NULL, packing);
    }
    packed = packed && note_bounds(csr, bounds, packing);
    if (!packed) {
        snn_packing_free(packing);
        return NULL;
    }
    return packing;
}

snn_packing *snn_pack(const snn_csr *csr, const snn_isa *isa, const snn_kernel *kernel, int64_t k_block,
                      int share_count, const int64_t *bounds)
{
    return make(csr, isa, kernel, k_block, share_count, bounds, 0);
}

snn_packing *snn_pack_told(const snn_csr *csr, const snn_isa *isa, const snn_kernel *kernel, int share_count,
                           const int64_t *bounds)
{
    return make(csr, isa, kernel, 0, share_count, bounds, 1);
}

void snn_packing_free(snn_packing *packing)
{
    if (!packing)
        return;
    snn_free(packing->shares);
    snn_free(packing->bounds);
    snn_free(packing->memory);
    snn_free(packing);
}
