/* CSR -> panels of rows that share their columns (kernel.h): block-pruned weights, and rows of one pattern
 * wherever they stand. A panel's columns are the union of its rows' columns, zeros where a row has none. */
#include "base/memory.h"
#include "base/minmax.h"
#include "pack/visits.h"

#include <stdlib.h>

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

/* What tells which order of the rows packs best. */
typedef struct orders {
    const snn_csr *csr;
    uint32_t *seen; /* (columns) the last panel that had it, by a number of its own */
    uint32_t number;
    pattern *patterns; /* (rows) those with the same columns behind one another; NULL until wanted */
    int repeated;      /* two rows have the same columns */
} orders;

static int orders_init(orders *o, const snn_csr *csr)
{
    *o = (orders){.csr = csr, .seen = snn_alloc((size_t)csr->cols, sizeof *o->seen)};
    return o->seen != NULL;
}

static void orders_clear(orders *o)
{
    snn_free(o->seen);
    snn_free(o->patterns);
}

/* 0 when memory is out. */
static int find_patterns(orders *o)
{
    const snn_csr *csr = o->csr;
    if (o->patterns)
        return 1;
    o->patterns = snn_alloc((size_t)csr->rows, sizeof *o->patterns);
    if (!o->patterns)
        return 0;
    for (int64_t r = 0; r < csr->rows; r++) {
        uint64_t hash = 14695981039346656037u; // FNV-1a
        for (int64_t p = csr->indptr[r]; p < csr->indptr[r + 1]; p++)
            hash = (hash ^ (uint32_t)csr->indices[p]) * 1099511628211u;
        o->patterns[r] = (pattern){hash, (int32_t)r};
    }
    qsort(o->patterns, (size_t)csr->rows, sizeof *o->patterns, by_hash);
    for (int64_t r = 1; r < csr->rows; r++)
        o->repeated |= o->patterns[r].hash == o->patterns[r - 1].hash;
    return 1;
}

static int32_t row_at(const orders *o, int by_pattern, int64_t place)
{
    return by_pattern ? o->patterns[place].row : (int32_t)place;
}

/* Weights that panels of rows in that order take, zeros included. */
static int64_t count_slots(orders *o, int height, int by_pattern)
{
    const snn_csr *csr = o->csr;
    int64_t columns = 0;
    for (int64_t r = 0; r < csr->rows; r++) {
        const int32_t row = row_at(o, by_pattern, r);
        if (r % height == 0)
            o->number++;
        for (int64_t p = csr->indptr[row]; p < csr->indptr[row + 1]; p++) {
            columns += o->seen[csr->indices[p]] != o->number;
            o->seen[csr->indices[p]] = o->number;
        }
    }
    return columns * height;
}

/* Rows as they come, or by pattern where that packs better. Returns the slots, -1 when memory is out. */
static int64_t choose_order(orders *o, int height, int *by_pattern)
{
    const int64_t nnz = o->csr->indptr[o->csr->rows];
    const int64_t as_they_come = count_slots(o, height, 0);
    *by_pattern = 0;
    if (as_they_come <= nnz + nnz / 8)
        return as_they_come;
    if (!find_patterns(o))
        return -1;
    const int64_t sorted = o->repeated ? count_slots(o, height, 1) : as_they_come;
    *by_pattern = sorted < as_they_come;
    return *by_pattern ? sorted : as_they_come;
}

int snn_panel_slots(const snn_csr *csr, const int *heights, int count, int64_t *slots)
{
    orders o;
    int ready = orders_init(&o, csr), by_pattern;
    for (int i = 0; ready && i < count; i++)
        ready = (slots[i] = choose_order(&o, heights[i], &by_pattern)) >= 0;
    orders_clear(&o);
    return ready;
}

/* ---- packing ---- */

typedef struct packer {
    const snn_csr *csr;
    const int32_t *order; /* (panels * height) rows, -1 past the end */
    int height;
    int64_t k_block;
} packer;

/* The first column that a panel has at its rows' cursors; INT32_MAX at the end. */
static int32_t nearest(const packer *p, const int32_t *rows, const int64_t *cursor)
{
    int32_t column = INT32_MAX;
    for (int r = 0; r < p->height; r++)
        if (rows[r] >= 0 && cursor[r] < p->csr->indptr[rows[r] + 1] && p->csr->indices[cursor[r]] < column)
            column = p->csr->indices[cursor[r]];
    return column;
}

/* The next column of a panel below end, advancing the rows that have it; -1 when there is none.
 * cursor (height) is where each row has come to. */
static int64_t next_column(const packer *p, const int32_t *rows, int64_t end, int64_t *cursor, float *weights)
{
    const int32_t column = nearest(p, rows, cursor);
    if (column >= end)
        return -1;
    for (int r = 0; r < p->height; r++) {
        const int has =
            rows[r] >= 0 && cursor[r] < p->csr->indptr[rows[r] + 1] && p->csr->indices[cursor[r]] == column;
        if (weights)
            weights[r] = has ? p->csr->data[cursor[r]] : 0.0f;
        cursor[r] += has;
    }
    return column;
}

/* A panel's visits, one for each block where it has columns, and the first and the last. */
static void visit_blocks(const packer *p, int32_t panel, int64_t first_key, snn_visits *visits)
{
    const int32_t *rows = p->order + (int64_t)panel * p->height;
    int64_t cursor[16];
    for (int r = 0; r < p->height; r++)
        cursor[r] = rows[r] < 0 ? 0 : p->csr->indptr[rows[r]];
    for (int64_t block = 0;;) {
        int32_t steps = 0;
        while (next_column(p, rows, (block + 1) * p->k_block, cursor, NULL) >= 0)
            steps++;
        snn_visits_add(visits, (snn_visit){first_key + block, 0, panel, steps});
        if (block == visits->blocks - 1)
            break;
        const int32_t column = nearest(p, rows, cursor);
        block = column < INT32_MAX ? column / p->k_block : visits->blocks - 1;
    }
}

/* Where a row's columns from first on begin. */
static int64_t find_column(const snn_csr *csr, int32_t row, int64_t first)
{
    int64_t low = csr->indptr[row], high = csr->indptr[row + 1];
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (csr->indices[middle] < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void write_panel(const void *opaque, const snn_visit *panel, int64_t count, int64_t block,
                        int32_t scratch_row, int32_t *rows, uint8_t *indices, float *weights)
{
    const packer *p = opaque;
    const int32_t *from = p->order + (int64_t)panel->item * p->height;
    const int64_t first = block * p->k_block;
    int64_t cursor[16];
    (void)count; // always one
    for (int r = 0; r < p->height; r++) {
        rows[r] = from[r] < 0 ? scratch_row : from[r];
        cursor[r] = from[r] < 0 ? 0 : find_column(p->csr, from[r], first);
    }
    for (int64_t column; (column = next_column(p, from, first + p->k_block, cursor, weights)) >= 0;
         weights += p->height)
        *indices++ = (uint8_t)(column - first);
}

/* Fills order (panels * height); returns the slots, -1 when memory is out. */
static int64_t order_rows(const snn_csr *csr, int height, int64_t panels, int32_t *order)
{
    orders o;
    int by_pattern;
    const int64_t slots = orders_init(&o, csr) ? choose_order(&o, height, &by_pattern) : -1;
    for (int64_t r = 0; slots >= 0 && r < panels * height; r++)
        order[r] = r < csr->rows ? row_at(&o, by_pattern, r) : -1;
    orders_clear(&o);
    return slots;
}

/* The rows of each share, where rows are in their order. 0 when memory is out. */
static int note_bounds(const int32_t *order, int64_t rows, int height, int share_count, snn_packing *packing)
{
    const int64_t panels = (rows + height - 1) / height;
    for (int64_t r = 0; r < rows; r++)
        if (order[r] != r)
            return 1;
    packing->bounds = snn_alloc((size_t)share_count + 1, sizeof *packing->bounds);
    for (int s = 0; packing->bounds && s <= share_count; s++)
        packing->bounds[s] = snn_min(panels * s / share_count * height, rows);
    return packing->bounds != NULL;
}

int snn_pack_panel(const snn_csr *csr, int height, int64_t k_block, int share_count, snn_packing *packing)
{
    const int64_t panels = (csr->rows + height - 1) / height;
    int32_t *order = snn_alloc((size_t)(panels * height), sizeof *order);
    const int64_t slots = order ? order_rows(csr, height, panels, order) : -1;
    const packer p = {csr, order, height, k_block};
    snn_visits visits = {0};
    int packed = slots >= 0 && note_bounds(order, csr->rows, height, share_count, packing) &&
                 snn_visits_init(&visits, csr, panels, slots / height, k_block, share_count);
    for (int share = 0; packed && share < share_count; share++)
        for (int64_t i = panels * share / share_count; i < panels * (share + 1) / share_count; i++)
            visit_blocks(&p, (int32_t)i, share * visits.blocks, &visits);
    packed = packed && snn_pack_visits(&visits, csr->rows, 1, height, 1, write_panel, &p, packing);
    snn_visits_clear(&visits);
    snn_free(order);
    return packed;
}
