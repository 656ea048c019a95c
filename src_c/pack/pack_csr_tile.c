/* CSR -> sorted panels in column blocks (snn_csr_tile in kernel.h). Linear in rows * blocks + nnz. */
#include "base/memory.h"
#include "pack/pack.h"

#include <string.h>

/* Scratch for one share, reused from block to block. */
typedef struct sorter {
    int64_t *cursor; /* (rows) next stored weight of each row of the share */
    int32_t *count;  /* (rows) weights of each row in the block */
    int32_t *order;  /* (rows + panel height) rows of the share, most weights first */
    int32_t *start;  /* (k_block + 2) where each count begins in order */
} sorter;

/* Sizes of one packed block. */
typedef struct extent {
    size_t groups, panels, entries;
} extent;

/* Fills count and order for columns [first, end) and advances nothing. */
static void sort_rows(const snn_csr *csr, int64_t first_row, int64_t rows, int64_t end_column,
                      int64_t k_block, sorter *s)
{
    memset(s->start, 0, (size_t)(k_block + 2) * sizeof *s->start);
    for (int64_t r = 0; r < rows; r++) {
        const int64_t end = csr->indptr[first_row + r + 1];
        int64_t p = s->cursor[r];
        while (p < end && csr->indices[p] < end_column)
            p++;
        s->count[r] = (int32_t)(p - s->cursor[r]);
        s->start[k_block - s->count[r] + 1]++;
    }
    for (int64_t c = 0; c <= k_block; c++)
        s->start[c + 1] += s->start[c];
    for (int64_t r = 0; r < rows; r++)
        s->order[s->start[k_block - s->count[r]]++] = (int32_t)r;
}

/* Panels of the block: those with a weight, or all where sums begin or end. */
static extent measure(const sorter *s, int64_t rows, int height, int all, snn_csr_group *groups)
{
    extent e = {0};
    int64_t steps = -1;
    for (int64_t i = 0; i < rows; i += height) {
        const int32_t count = s->count[s->order[i]];
        if (count == 0 && !all)
            break;
        if (count != steps) {
            steps = count;
            if (groups)
                groups[e.groups] = (snn_csr_group){.steps = (uint32_t)count};
            e.groups++;
        }
        if (groups)
            groups[e.groups - 1].panels++;
        e.panels++;
        e.entries += (size_t)count * (size_t)height;
    }
    return e;
}

/* Writes the panels of a sorted block; advances the cursors. */
static void write_block(const snn_csr *csr, const snn_kernel *kernel, int64_t first_row, int64_t rows,
                        int64_t scratch_row, int64_t first_column, const extent *size, const sorter *s,
                        int32_t *panel_rows, uint8_t *indices, float *weights)
{
    const int height = kernel->shape;
    const int64_t scale = kernel->index_bytes == 2 ? kernel->samples / 2 : 1;
    for (size_t panel = 0; panel < size->panels; panel++) {
        const int64_t top = (int64_t)panel * height;
        const int32_t steps = s->count[s->order[top]];
        for (int r = 0; r < height; r++) {
            const int filled = top + r < rows;
            const int32_t row = filled ? s->order[top + r] : 0;
            const int32_t count = filled ? s->count[row] : 0;
            *panel_rows++ = (int32_t)(filled ? first_row + row : scratch_row);
            const int64_t from = filled ? s->cursor[row] : 0;
            int64_t index = 0;
            for (int32_t step = 0; step < steps; step++) {
                const size_t slot = (size_t)step * (size_t)height + (size_t)r;
                if (step < count) {
                    index = (csr->indices[from + step] - first_column) * scale;
                    weights[slot] = csr->data[from + step];
                }
                // Padding repeats the row's last column, with weight 0.
                if (kernel->index_bytes == 1)
                    indices[slot] = (uint8_t)index;
                else
                    ((uint16_t *)(void *)indices)[slot] = (uint16_t)index;
            }
        }
        indices += (size_t)steps * (size_t)height * (size_t)kernel->index_bytes;
        weights += (size_t)steps * (size_t)height;
    }
    for (int64_t r = 0; r < rows; r++)
        s->cursor[r] += s->count[r];
}

static int sorter_init(sorter *s, int64_t rows, int64_t k_block)
{
    s->cursor = snn_alloc((size_t)rows, sizeof *s->cursor);
    s->count = snn_alloc((size_t)rows, sizeof *s->count);
    s->order = snn_alloc((size_t)rows, sizeof *s->order);
    s->start = snn_alloc((size_t)k_block + 2, sizeof *s->start);
    return s->cursor && s->count && s->order && s->start;
}

static void sorter_clear(sorter *s)
{
    snn_free(s->cursor);
    snn_free(s->count);
    snn_free(s->order);
    snn_free(s->start);
}

static void rewind_cursor(const snn_csr *csr, int64_t first_row, int64_t rows, sorter *s)
{
    for (int64_t r = 0; r < rows; r++)
        s->cursor[r] = csr->indptr[first_row + r];
}

int snn_pack_csr_tile(const snn_csr *csr, const snn_kernel *kernel, int64_t k_block, int share_count,
                      const int64_t *bounds, snn_packing *packing)
{
    const int height = kernel->shape;
    const int64_t blocks = (csr->cols + k_block - 1) / k_block;
    const size_t extents = (size_t)share_count * (size_t)blocks;
    sorter s = {0};
    extent *sizes = snn_alloc(extents, sizeof *sizes), total = {0};
    snn_csr_tile *shares = snn_alloc((size_t)share_count, sizeof *shares);
    packing->shares = shares;
    packing->share_size = sizeof *shares;
    int ready = sorter_init(&s, csr->rows, k_block) && sizes && shares;

    for (int share = 0; ready && share < share_count; share++) { // how large everything will be
        const int64_t first = bounds[share], rows = bounds[share + 1] - first;
        rewind_cursor(csr, first, rows, &s);
        for (int64_t b = 0; rows && b < blocks; b++) {
            extent *size = &sizes[(size_t)share * (size_t)blocks + (size_t)b];
            sort_rows(csr, first, rows, (b + 1) * k_block, k_block, &s);
            *size = measure(&s, rows, height, b == 0 || b == blocks - 1, NULL);
            for (int64_t r = 0; r < rows; r++)
                s.cursor[r] += s.count[r];
            total.groups += size->groups;
            total.panels += size->panels;
            total.entries += size->entries;
        }
    }
    // One allocation, zeroed: weights, blocks, groups, rows, indices. Reading runs past the end of weights by
    // up to 16 floats (into the blocks) and of indices by 24 bytes.
    const size_t weight_bytes = (total.entries + 16) * sizeof(float);
    const size_t block_bytes = extents * sizeof(snn_csr_block);
    const size_t group_bytes = total.groups * sizeof(snn_csr_group);
    const size_t row_bytes = total.panels * (size_t)height * sizeof(int32_t);
    packing->bytes = (weight_bytes + 7) / 8 * 8 + block_bytes + group_bytes + row_bytes +
                     total.entries * (size_t)kernel->index_bytes + 24;
    packing->entries = (int64_t)total.entries;
    char *memory = ready ? snn_alloc(packing->bytes, 1) : NULL;
    packing->memory = memory;
    ready = ready && memory;
    if (ready) {
        float *weights = (float *)memory;
        snn_csr_block *block = (snn_csr_block *)(memory + (weight_bytes + 7) / 8 * 8);
        snn_csr_group *groups = (snn_csr_group *)((char *)block + block_bytes);
        int32_t *panel_rows = (int32_t *)((char *)groups + group_bytes);
        uint8_t *indices = (uint8_t *)panel_rows + row_bytes;
        for (int share = 0; share < share_count; share++) {
            const int64_t first = bounds[share], rows = bounds[share + 1] - first;
            shares[share] = (snn_csr_tile){.block_count = rows ? blocks : 0, .blocks = block};
            rewind_cursor(csr, first, rows, &s);
            for (int64_t b = 0; rows && b < blocks; b++, block++) {
                const extent *size = &sizes[(size_t)share * (size_t)blocks + (size_t)b];
                *block = (snn_csr_block){.first_column = b * k_block,
                                         .group_count = (int64_t)size->groups,
                                         .groups = groups,
                                         .rows = panel_rows,
                                         .indices = indices,
                                         .weights = weights};
                sort_rows(csr, first, rows, (b + 1) * k_block, k_block, &s);
                measure(&s, rows, height, b == 0 || b == blocks - 1, groups);
                write_block(csr, kernel, first, rows, csr->rows + share, b * k_block, size, &s, panel_rows,
                            indices, weights);
                groups += size->groups;
                panel_rows += size->panels * (size_t)height;
                indices += size->entries * (size_t)kernel->index_bytes;
                weights += size->entries;
            }
        }
    }
    sorter_clear(&s);
    snn_free(sizes);
    return ready;
}
