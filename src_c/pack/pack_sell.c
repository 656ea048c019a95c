/* CSR -> sliced ELLPACK (snn_sell in kernel.h). A share's rows stay together, so a thread writes its own part
 * of y. */
#include "base/memory.h"
#include "pack/pack.h"

#include <string.h>

/* Whether sorted rows came out as they were. */
static int in_order(const int32_t *order, int64_t count)
{
    for (int64_t r = 1; r < count; r++)
        if (order[r] < order[r - 1])
            return 0;
    return 1;
}

/* Rows of each share sorted, its last panel filled up with -1. order: all panels. 0 when memory is out. */
static int sort_shares(const snn_csr *csr, int lanes, int share_count, const int64_t *bounds, int32_t *order,
                       snn_sell *shares)
{
    for (int s = 0; s < share_count; s++) {
        const int64_t rows = bounds[s + 1] - bounds[s], panels = (rows + lanes - 1) / lanes;
        shares[s] = (snn_sell){.lanes = {.first_row = bounds[s], .row_count = rows, .rows = order},
                               .panel_count = panels,
                               .columns = csr->cols};
        if (!snn_sort_rows(csr, bounds[s], bounds[s + 1], order))
            return 0;
        for (int64_t r = rows; r < panels * lanes; r++)
            order[r] = -1;
        order += panels * lanes;
    }
    return 1;
}

/* A panel's steps: as many as its first row has weights. */
static void fill_panel(const snn_csr *csr, int lanes, const int32_t *rows, int64_t steps, uint16_t *indices,
                       float *weights)
{
    for (int l = 0; l < lanes; l++) {
        const int64_t first = rows[l] < 0 ? 0 : csr->indptr[rows[l]];
        const int64_t count = rows[l] < 0 ? 0 : snn_row_length(csr, rows[l]);
        for (int64_t s = 0; s < count; s++) {
            indices[s * lanes + l] = (uint16_t)csr->indices[first + s];
            weights[s * lanes + l] = csr->data[first + s];
        }
        for (int64_t s = count; s < steps && count; s++)
            indices[s * lanes + l] = indices[(count - 1) * lanes + l];
    }
}

/* Lays the panels of all shares out in memory: steps (panels + share_count), rows, weights and indices. */
static void fill_shares(const snn_csr *csr, int lanes, int share_count, const int32_t *order,
                        snn_sell *shares, int64_t *steps, int32_t *rows, float *weights, uint16_t *indices)
{
    int64_t panel = 0, step = 0;
    for (int s = 0; s < share_count; s++) {
        snn_sell *share = &shares[s];
        share->steps = steps;
        share->indices = indices;
        share->weights = weights;
        const int32_t *sorted = order + panel * lanes;
        if (in_order(sorted, share->lanes.row_count)) {
            share->lanes.rows = NULL;
        } else {
            share->lanes.rows = memcpy(rows, sorted, (size_t)(share->panel_count * lanes) * sizeof *rows);
            rows += share->panel_count * lanes;
        }
        for (int64_t p = 0; p < share->panel_count; p++) {
            const int64_t count = snn_row_length(csr, sorted[p * lanes]);
            *steps++ = step;
            fill_panel(csr, lanes, sorted + p * lanes, count, indices + step * lanes, weights + step * lanes);
            step += count;
        }
        *steps++ = step;
        panel += share->panel_count;
    }
}

int snn_pack_sell(const snn_csr *csr, int lanes, int share_count, const int64_t *bounds, snn_packing *packing)
{
    int64_t panels = 0, steps = 0;
    for (int s = 0; s < share_count; s++)
        panels += (bounds[s + 1] - bounds[s] + lanes - 1) / lanes;
    int32_t *order = snn_alloc((size_t)(panels * lanes), sizeof *order);
    snn_sell *shares = snn_alloc((size_t)share_count, sizeof *shares);
    packing->shares = shares;
    packing->share_size = sizeof *shares;
    if (order && shares && sort_shares(csr, lanes, share_count, bounds, order, shares)) {
        for (int64_t p = 0; p < panels; p++)
            steps += snn_row_length(csr, order[p * lanes]);
        // One allocation, by alignment: where panels begin, weights, rows, indices.
        const size_t step_bytes = (size_t)(panels + share_count + 7) / 8 * 8 * sizeof(int64_t);
        const size_t weight_bytes = (size_t)(steps * lanes) * sizeof(float);
        const size_t row_bytes = (size_t)(panels * lanes) * sizeof(int32_t);
        packing->bytes = step_bytes + weight_bytes + row_bytes + (size_t)(steps * lanes) * sizeof(uint16_t);
        packing->entries = steps * lanes;
        char *memory = snn_alloc(packing->bytes, 1);
        packing->memory = memory;
        if (memory)
            fill_shares(csr, lanes, share_count, order, shares, (int64_t *)(void *)memory,
                        (int32_t *)(void *)(memory + step_bytes + weight_bytes),
                        (float *)(void *)(memory + step_bytes),
                        (uint16_t *)(void *)(memory + step_bytes + weight_bytes + row_bytes));
    }
    snn_free(order);
    return packing->memory != NULL;
}
