/* CSR -> rows side by side in vector lanes, chunks of four steps with a window each (snn_csr_column in
 * kernel.h). */
#include "base/memory.h"
#include "pack/pack.h"

#include <string.h>

/* Steps of all panels when rows are taken as they come: the longest row of each panel. */
static int64_t steps_in_order(const snn_csr *csr, int lanes)
{
    int64_t steps = 0;
    for (int64_t p = 0; p < csr->rows; p += lanes) {
        int64_t longest = 0;
        for (int64_t r = p; r < p + lanes && r < csr->rows; r++)
            if (snn_row_length(csr, r) > longest)
                longest = snn_row_length(csr, r);
        steps += longest;
    }
    return steps;
}

/* Where a panel's lanes have come to. */
typedef struct cursor {
    int64_t at[64], end[64];
} cursor;

/* The first feature of the next window: of the lane that is furthest behind, in whole vectors; -1 at the end.
 */
static int64_t next_window(const snn_csr *csr, int lanes, int64_t block, const cursor *c)
{
    const int64_t last = csr->cols > block ? csr->cols - block : 0;
    int64_t window = INT64_MAX;
    for (int l = 0; l < lanes; l++)
        if (c->at[l] < c->end[l] && csr->indices[c->at[l]] < window)
            window = csr->indices[c->at[l]];
    if (window == INT64_MAX)
        return -1;
    window = window / lanes * lanes;
    return window < last ? window : last;
}

/* One panel: rows (lanes, -1 for none). Counts its chunks and, where records is given, writes them. */
static int64_t pack_panel(const snn_csr *csr, const int32_t *rows, int lanes, int64_t block,
                          int windows_a_chunk, int32_t *windows, uint8_t *records)
{
    const int steps = SNN_CHUNK_STEPS / windows_a_chunk;
    int64_t used = 0; // windows
    cursor c;
    for (int l = 0; l < lanes; l++) {
        c.at[l] = rows[l] < 0 ? 0 : csr->indptr[rows[l]];
        c.end[l] = rows[l] < 0 ? 0 : csr->indptr[rows[l] + 1];
    }
    for (int64_t window; (window = next_window(csr, lanes, block, &c)) >= 0; used++) {
        const int first_step = (int)(used % windows_a_chunk) * steps;
        uint8_t *index =
            records ? records + (size_t)(used / windows_a_chunk) * SNN_RECORD_BYTES(lanes) : NULL;
        float *weight = (float *)(void *)(index ? index + 4 * lanes : NULL);
        if (windows)
            windows[used] = (int32_t)window;
        for (int l = 0; l < lanes; l++) {
            uint8_t position = 0;
            for (int s = first_step; s < first_step + steps; s++) {
                const int taken = c.at[l] < c.end[l] && csr->indices[c.at[l]] < window + block;
                if (taken)
                    position = (uint8_t)(csr->indices[c.at[l]] - window);
                if (index) {
                    index[4 * l + s] = position;
                    weight[s * lanes + l] = taken ? csr->data[c.at[l]] : 0.0f;
                }
                c.at[l] += taken;
            }
        }
    }
    return (used + windows_a_chunk - 1) / windows_a_chunk;
}

/* Cuts panels into shares of bounds, or with about the same number of chunks; chunks (panels + 1). */
static void fill_shares(const snn_csr *csr, int lanes, int64_t panels, const int64_t *chunks,
                        const int32_t *rows, const int32_t *windows, const uint8_t *records, int share_count,
                        const int64_t *bounds, snn_csr_column *shares)
{
    int64_t panel = 0;
    for (int s = 0; s < share_count; s++) {
        const int64_t first = panel;
        const double wanted = (double)(chunks[panels] + panels) * (s + 1) / share_count;
        while (panel < panels &&
               (s == share_count - 1 ||
                (bounds ? panel * lanes < bounds[s + 1] : (double)(chunks[panel] + panel) < wanted)))
            panel++;
        const int64_t first_row = first * lanes,
                      end_row = panel * lanes < csr->rows ? panel * lanes : csr->rows;
        shares[s] = (snn_csr_column){.lanes = {.first_row = first_row,
                                               .row_count = end_row > first_row ? end_row - first_row : 0,
                                               .rows = rows ? rows + first * lanes : NULL},
                                     .panel_count = panel - first,
                                     .columns = csr->cols,
                                     .chunks = chunks + first,
                                     .windows = windows,
                                     .records = records};
    }
}

/* Rows by their lengths, those of each share by themselves. */
static int sort_rows(const snn_csr *csr, int share_count, const int64_t *bounds, int32_t *order)
{
    int sorted = bounds || snn_sort_rows(csr, 0, csr->rows, order);
    for (int s = 0; sorted && bounds && s < share_count; s++)
        sorted = snn_sort_rows(csr, bounds[s], bounds[s + 1], order + bounds[s]);
    return sorted;
}

int snn_pack_csr_column(const snn_csr *csr, int lanes, int64_t block, int windows_a_chunk, int share_count,
                        const int64_t *bounds, snn_packing *packing)
{
    const int64_t panels = (csr->rows + lanes - 1) / lanes;
    int32_t *order = snn_alloc((size_t)(panels * lanes), sizeof *order);
    int64_t *counts = snn_alloc((size_t)panels, sizeof *counts);
    snn_csr_column *shares = snn_alloc((size_t)share_count, sizeof *shares);
    packing->shares = shares;
    packing->share_size = sizeof *shares;
    // Sorting pays when rows differ much: then a panel is as long as its longest row.
    const int sorted = steps_in_order(csr, lanes) * lanes > csr->indptr[csr->rows] * 3 / 2 + csr->rows * 8;
    int ready = order && counts && shares && (!sorted || sort_rows(csr, share_count, bounds, order));
    int64_t total = 0;
    for (int64_t r = 0; ready && r < panels * lanes; r++)
        if (r >= csr->rows)
            order[r] = -1;
        else if (!sorted)
            order[r] = (int32_t)r;
    for (int64_t p = 0; ready && p < panels; p++) {
        counts[p] = pack_panel(csr, order + p * lanes, lanes, block, windows_a_chunk, NULL, NULL);
        total += counts[p];
    }
    // One allocation: records, then where panels begin, windows, rows.
    const size_t record_bytes = ((size_t)total * SNN_RECORD_BYTES(lanes) + 7) / 8 * 8;
    const size_t chunk_bytes = ((size_t)panels + 1) * sizeof(int64_t);
    const size_t window_bytes = (size_t)(total * windows_a_chunk) * sizeof(int32_t);
    const size_t row_bytes = sorted ? (size_t)(panels * lanes) * sizeof(int32_t) : 0;
    packing->bytes = record_bytes + chunk_bytes + window_bytes + row_bytes;
    packing->entries = total * SNN_CHUNK_STEPS * lanes;
    char *memory = ready ? snn_alloc(packing->bytes, 1) : NULL;
    packing->memory = memory;
    if (memory) {
        uint8_t *records = (uint8_t *)memory;
        int64_t *chunks = (int64_t *)(void *)(memory + record_bytes);
        int32_t *windows = (int32_t *)(void *)((char *)chunks + chunk_bytes);
        int32_t *rows = (int32_t *)(void *)((char *)windows + window_bytes);
        for (int64_t p = 0; p < panels; p++) {
            chunks[p + 1] = chunks[p] + counts[p];
            pack_panel(csr, order + p * lanes, lanes, block, windows_a_chunk,
                       windows + chunks[p] * windows_a_chunk,
                       records + (size_t)chunks[p] * SNN_RECORD_BYTES(lanes));
        }
        if (sorted)
            memcpy(rows, order, row_bytes);
        fill_shares(csr, lanes, panels, chunks, sorted ? rows : NULL, windows, records, share_count, bounds,
                    shares);
    }
    snn_free(order);
    snn_free(counts);
    return memory != NULL;
}
