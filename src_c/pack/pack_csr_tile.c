/* CSR -> sorted panels in column blocks (snn_csr_tile in kernel.h). */
#include "pack/visits.h"

typedef struct packer {
    const snn_csr *csr;
    int height, index_bytes;
    int64_t k_block, scale; /* of an index: what it counts a column as */
} packer;

/* A row's visits, one for each block where it has weights, and the first and the last. */
static void visit_blocks(const snn_csr *csr, int64_t row, int64_t first_key, snn_visits *visits)
{
    const int64_t end = csr->indptr[row + 1];
    int64_t at = csr->indptr[row];
    for (int64_t block = 0;; block = at < end ? csr->indices[at] / visits->k_block : visits->blocks - 1) {
        const int64_t from = at, end_column = (block + 1) * visits->k_block;
        while (at < end && csr->indices[at] < end_column)
            at++;
        snn_visits_add(visits, (snn_visit){first_key + block, from, (int32_t)row, (int32_t)(at - from)});
        if (block == visits->blocks - 1)
            break;
    }
}

static void write_panel(const void *opaque, const snn_visit *panel, int64_t count, int64_t block,
                        int32_t scratch_row, int32_t *rows, uint8_t *indices, float *weights)
{
    const packer *p = opaque;
    const int64_t first_column = block * p->k_block;
    const int32_t steps = panel->steps;
    for (int r = 0; r < p->height; r++) {
        const snn_visit visit = r < count ? panel[r] : (snn_visit){.item = scratch_row};
        int64_t index = 0;
        rows[r] = visit.item;
        for (int32_t step = 0; step < steps; step++) {
            const size_t slot = (size_t)step * (size_t)p->height + (size_t)r;
            if (step < visit.steps) {
                index = (p->csr->indices[visit.from + step] - first_column) * p->scale;
                weights[slot] = p->csr->data[visit.from + step];
            }
            // Padding repeats the row's last column, with weight 0.
            if (p->index_bytes == 1)
                indices[slot] = (uint8_t)index;
            else
                ((uint16_t *)(void *)indices)[slot] = (uint16_t)index;
        }
    }
}

int snn_pack_csr_tile(const snn_csr *csr, const snn_kernel *kernel, int64_t k_block, int share_count,
                      const int64_t *bounds, snn_packing *packing)
{
    const packer p = {csr, kernel->shape, kernel->index_bytes, k_block,
                      kernel->index_bytes == 2 ? kernel->samples / 2 : 1};
    snn_visits visits;
    int packed = snn_visits_init(&visits, csr, csr->rows, csr->indptr[csr->rows], k_block, share_count);
    for (int share = 0; packed && share < share_count; share++)
        for (int64_t row = bounds[share]; row < bounds[share + 1]; row++)
            visit_blocks(csr, row, share * visits.blocks, &visits);
    packed = packed && snn_pack_visits(&visits, csr->rows, p.height, p.height, p.height * p.index_bytes,
                                       write_panel, &p, packing);
    snn_visits_clear(&visits);
    return packed;
}
