/* CSR -> panels of rows that share their columns (kernel.h): block-pruned weights, and rows of one pattern
 * wherever they stand. A panel's columns are the union of its rows' columns, zeros where a row has none. */
#include "base/memory.h"
#include "pack/pack.h"

#include <stdlib.h>
#include <string.h>

/* ---- which rows share a panel ---- */

typedef struct pattern {
    uint64_t hash;
    int32_t row;
} pattern;

static int by_hash(const void *a, const void *b)
{
    const pattern *p = a, *q = b;
    if (p->hash != q->hash)
        return p->hash < q->hash ? -1 : 1;
    return p->row < q->row ? -1 : 1;
}

/* Rows with the same columns behind one another, in order of their first appearance's hash. */
static int order_by_pattern(const snn_csr *csr, int32_t *order)
{
    pattern *patterns = snn_alloc((size_t)csr->rows, sizeof *patterns);
    if (!patterns)
        return 0;
    for (int64_t r = 0; r < csr->rows; r++) {
        uint64_t hash = 14695981039346656037u; // FNV-1a
        for (int64_t p = csr->indptr[r]; p < csr->indptr[r + 1]; p++)
            hash = (hash ^ (uint32_t)csr->indices[p]) * 1099511628211u;
        patterns[r] = (pattern){hash, (int32_t)r};
    }
    qsort(patterns, (size_t)csr->rows, sizeof *patterns, by_hash);
    for (int64_t r = 0; r < csr->rows; r++)
        order[r] = patterns[r].row;
    snn_free(patterns);
    return 1;
}

/* The next column of a panel below end, advancing the rows that have it; -1 when there is none.
 * cursor (height) is where each row has come to. */
static int64_t next_column(const snn_csr *csr, const int32_t *rows, int height, int64_t end, int64_t *cursor,
                           float *weights)
{
    int64_t column = end;
    for (int r = 0; r < height; r++)
        if (rows[r] >= 0 && cursor[r] < csr->indptr[rows[r] + 1] && csr->indices[cursor[r]] < column)
            column = csr->indices[cursor[r]];
    if (column == end)
        return -1;
    for (int r = 0; r < height; r++) {
        const int has =
            rows[r] >= 0 && cursor[r] < csr->indptr[rows[r] + 1] && csr->indices[cursor[r]] == column;
        if (weights)
            weights[r] = has ? csr->data[cursor[r]] : 0.0f;
        cursor[r] += has;
    }
    return column;
}

static void begin_panel(const snn_csr *csr, const int32_t *rows, int height, int64_t *cursor)
{
    for (int r = 0; r < height; r++)
        cursor[r] = rows[r] < 0 ? 0 : csr->indptr[rows[r]];
}

/* Weights that panels of that order take, zeros included. */
static int64_t count_slots(const snn_csr *csr, int height, const int32_t *order, int64_t panels)
{
    int64_t slots = 0, cursor[16];
    for (int64_t p = 0; p < panels; p++) {
        begin_panel(csr, order + p * height, height, cursor);
        while (next_column(csr, order + p * height, height, INT64_MAX, cursor, NULL) >= 0)
            slots += height;
    }
    return slots;
}

/* Fills order (panels * height, -1 past the end): rows as they come, or by pattern where that packs better.
 * Returns the slots, -1 when memory is out. */
static int64_t order_rows(const snn_csr *csr, int height, int32_t *order, int64_t panels)
{
    const int64_t nnz = csr->indptr[csr->rows];
    for (int64_t r = 0; r < panels * height; r++)
        order[r] = r < csr->rows ? (int32_t)r : -1;
    const int64_t as_they_come = count_slots(csr, height, order, panels);
    if (as_they_come <= nnz + nnz / 8)
        return as_they_come;
    if (!order_by_pattern(csr, order))
        return -1;
    const int64_t by_pattern = count_slots(csr, height, order, panels);
    if (by_pattern < as_they_come)
        return by_pattern;
    for (int64_t r = 0; r < csr->rows; r++)
        order[r] = (int32_t)r;
    return as_they_come;
}

int64_t snn_panel_slots(const snn_csr *csr, int height)
{
    const int64_t panels = (csr->rows + height - 1) / height;
    int32_t *order = snn_alloc((size_t)(panels * height), sizeof *order);
    const int64_t slots = order ? order_rows(csr, height, order, panels) : -1;
    snn_free(order);
    return slots;
}

/* ---- packing ---- */

/* Where the arrays of all blocks begin, and how much of each has been written. */
typedef struct writer {
    float *weights;
    snn_csr_block *block;
    snn_csr_group *groups;
    int32_t *rows;
    uint8_t *indices;
} writer;

/* Panels of one share and block, most steps first; counts (panels) steps of each. */
typedef struct sorted {
    int32_t *steps; /* (panels) */
    int32_t *order; /* (panels) */
    int32_t *start; /* (k_block + 2) */
} sorted;

static void sort_panels(const sorted *s, int64_t panels, int64_t k_block)
{
    memset(s->start, 0, (size_t)(k_block + 2) * sizeof *s->start);
    for (int64_t p = 0; p < panels; p++)
        s->start[k_block - s->steps[p] + 1]++;
    for (int64_t c = 0; c <= k_block; c++)
        s->start[c + 1] += s->start[c];
    for (int64_t p = 0; p < panels; p++)
        s->order[s->start[k_block - s->steps[p]]++] = (int32_t)p;
}

/* Writes block number b of a share: rows (panels * height), steps known and sorted. */
static void write_block(const snn_csr *csr, const int32_t *rows, int height, int64_t b, int64_t k_block,
                        int all, int64_t panels, int32_t scratch_row, const sorted *s, writer *w)
{
    int32_t steps = -1;
    *w->block = (snn_csr_block){.first_column = b * k_block,
                                .groups = w->groups,
                                .rows = w->rows,
                                .indices = w->indices,
                                .weights = w->weights};
    for (int64_t i = 0; i < panels; i++) {
        const int32_t *panel = rows + (int64_t)s->order[i] * height;
        const int32_t count = s->steps[s->order[i]];
        if (count == 0 && !all)
            break;
        if (count != steps) {
            *w->groups++ = (snn_csr_group){.steps = (uint32_t)(steps = count)};
            w->block->group_count++;
        }
        w->groups[-1].panels++;
        int64_t cursor[16];
        for (int r = 0; r < height; r++) {
            *w->rows++ = panel[r] < 0 ? scratch_row : panel[r];
            int64_t low = panel[r] < 0 ? 0 : csr->indptr[panel[r]],
                    high = panel[r] < 0 ? 0 : csr->indptr[panel[r] + 1];
            while (low < high) { // the row's first weight in this block
                const int64_t middle = low + (high - low) / 2;
                if (csr->indices[middle] < b * k_block)
                    low = middle + 1;
                else
                    high = middle;
            }
            cursor[r] = low;
        }
        for (int64_t column;
             (column = next_column(csr, panel, height, (b + 1) * k_block, cursor, w->weights)) >= 0;
             w->weights += height)
            *w->indices++ = (uint8_t)(column - b * k_block);
    }
    w->block++;
}

int snn_pack_panel(const snn_csr *csr, int height, int64_t k_block, int share_count, snn_packing *packing)
{
    const int64_t panels = (csr->rows + height - 1) / height, blocks = (csr->cols + k_block - 1) / k_block;
    int32_t *order = snn_alloc((size_t)(panels * height), sizeof *order);
    int32_t *steps = snn_alloc((size_t)panels * (size_t)blocks, sizeof *steps); // [block][panel]
    sorted s = {NULL, snn_alloc((size_t)panels, sizeof *s.order),
                snn_alloc((size_t)k_block + 2, sizeof *s.start)};
    snn_csr_tile *shares = snn_alloc((size_t)share_count, sizeof *shares);
    packing->shares = shares;
    packing->share_size = sizeof *shares;
    int64_t slots = order ? order_rows(csr, height, order, panels) : -1;
    int ready = steps && s.order && s.start && shares && slots >= 0;
    for (int64_t p = 0; ready && p < panels; p++) {
        int64_t cursor[16];
        begin_panel(csr, order + p * height, height, cursor);
        for (int64_t column;
             (column = next_column(csr, order + p * height, height, INT64_MAX, cursor, NULL)) >= 0;)
            steps[column / k_block * panels + p]++;
    }
    // One allocation, zeroed: weights, blocks, groups, rows, indices; 16 floats and 8 bytes may be read past
    // the ends of weights and indices.
    const size_t visits = (size_t)panels * (size_t)blocks, extents = (size_t)share_count * (size_t)blocks;
    const size_t weight_bytes = ((size_t)(ready ? slots : 0) + 16) * sizeof(float);
    const size_t block_bytes = extents * sizeof(snn_csr_block), group_bytes = visits * sizeof(snn_csr_group);
    const size_t row_bytes = visits * (size_t)height * sizeof(int32_t);
    packing->bytes = (weight_bytes + 7) / 8 * 8 + block_bytes + group_bytes + row_bytes +
                     (size_t)(ready ? slots / height : 0) + 16;
    packing->entries = slots;
    char *memory = ready ? snn_alloc(packing->bytes, 1) : NULL;
    packing->memory = memory;
    if (memory) {
        writer w = {.weights = (float *)(void *)memory};
        w.block = (snn_csr_block *)(void *)(memory + (weight_bytes + 7) / 8 * 8);
        w.groups = (snn_csr_group *)(void *)((char *)w.block + block_bytes);
        w.rows = (int32_t *)(void *)((char *)w.groups + group_bytes);
        w.indices = (uint8_t *)w.rows + row_bytes;
        for (int share = 0; share < share_count; share++) {
            const int64_t first = panels * share / share_count, end = panels * (share + 1) / share_count;
            shares[share] = (snn_csr_tile){.block_count = end > first ? blocks : 0, .blocks = w.block};
            for (int64_t b = 0; end > first && b < blocks; b++) {
                s.steps = steps + b * panels + first;
                sort_panels(&s, end - first, k_block);
                write_block(csr, order + first * height, height, b, k_block, b == 0 || b == blocks - 1,
                            end - first, (int32_t)(csr->rows + share), &s, &w);
            }
        }
    }
    snn_free(order);
    snn_free(steps);
    snn_free(s.order);
    snn_free(s.start);
    return memory != NULL;
}
