/* Visits sorted by block and by steps, and laid out: two counting sorts, so nothing is looked at twice. */
#include "pack/visits.h"

#include "base/memory.h"

#include <string.h>

int snn_visits_init(snn_visits *visits, const snn_csr *csr, int64_t items, int64_t most, int64_t k_block,
                    int share_count)
{
    const int64_t blocks = (csr->cols + k_block - 1) / k_block;
    if (most / blocks >= items)
        most = items * blocks;
    *visits = (snn_visits){.blocks = blocks, .k_block = k_block, .share_count = share_count};
    visits->list = snn_alloc((size_t)most + 2 * (size_t)items, sizeof *visits->list);
    return visits->list != NULL;
}

void snn_visits_clear(snn_visits *visits)
{
    snn_free(visits->list);
    visits->list = NULL;
}

/* ---- sorting ---- */

/* By key: list -> to, in the order of the list; start (keys + 1): where each key begins in to. */
static void sort_by_key(const snn_visits *visits, int64_t keys, int64_t *start, snn_visit *to)
{
    for (int64_t i = 0; i < visits->count; i++)
        start[visits->list[i].key + 1]++;
    for (int64_t k = 0; k < keys; k++)
        start[k + 1] += start[k];
    for (int64_t i = 0; i < visits->count; i++)
        to[start[visits->list[i].key]++] = visits->list[i];
    for (int64_t k = keys; k > 0; k--)
        start[k] = start[k - 1];
    start[0] = 0;
}

/* Visits of one block, most steps first: from -> to; place (k_block + 2). */
static void sort_by_steps(const snn_visit *from, int64_t count, int64_t k_block, int64_t *place,
                          snn_visit *to)
{
    memset(place, 0, (size_t)(k_block + 2) * sizeof *place);
    for (int64_t i = 0; i < count; i++)
        place[k_block - from[i].steps + 1]++;
    for (int64_t s = 0; s <= k_block; s++)
        place[s + 1] += place[s];
    for (int64_t i = 0; i < count; i++)
        to[place[k_block - from[i].steps]++] = from[i];
}

/* Fills start (keys + 1), where the visits of each key begin; 0 when memory is out. */
static int sort(snn_visits *visits, int64_t keys, int64_t *start)
{
    snn_visit *by_key = snn_alloc((size_t)visits->count, sizeof *by_key);
    int64_t *place = snn_alloc((size_t)visits->k_block + 2, sizeof *place);
    const int ready = by_key && place;
    if (ready)
        sort_by_key(visits, keys, start, by_key);
    for (int64_t k = 0; ready && k < keys; k++)
        sort_by_steps(by_key + start[k], start[k + 1] - start[k], visits->k_block, place,
                      visits->list + start[k]);
    snn_free(by_key);
    snn_free(place);
    return ready;
}

/* ---- layout ---- */

typedef struct extent {
    size_t groups, panels, steps;
} extent;

/* Sizes of one block, added to e; its groups where those are given. */
static void measure(const snn_visit *list, int64_t visits, int count, snn_csr_group *groups, extent *e)
{
    int64_t steps = -1, made = 0;
    for (int64_t i = 0; i < visits; i += count) {
        if (list[i].steps != steps) {
            steps = list[i].steps;
            if (groups)
                groups[made] = (snn_csr_group){.steps = (uint32_t)steps};
            made++;
        }
        if (groups)
            groups[made - 1].panels++;
        e->panels++;
        e->steps += (size_t)steps;
    }
    e->groups += (size_t)made;
}

/* Where the next block's arrays begin. */
typedef struct places {
    float *weights;
    snn_csr_group *groups;
    int32_t *rows;
    uint8_t *indices;
} places;

static void write_block(const snn_visit *list, int64_t visits, int count, int height, int index_bytes,
                        int64_t block, int32_t scratch_row, snn_write_panel write, const void *packer,
                        places *at)
{
    extent size = {0};
    measure(list, visits, count, at->groups, &size);
    at->groups += size.groups;
    for (int64_t i = 0; i < visits; i += count) {
        const size_t steps = (size_t)list[i].steps;
        write(packer, list + i, visits - i < count ? visits - i : count, block, scratch_row, at->rows,
              at->indices, at->weights);
        at->rows += height;
        at->indices += steps * (size_t)index_bytes;
        at->weights += steps * (size_t)height;
    }
}

static int lay_out(const snn_visits *visits, const int64_t *start, int64_t rows, int count, int height,
                   int index_bytes, snn_write_panel write, const void *packer, snn_csr_tile *shares,
                   snn_packing *packing)
{
    const int64_t blocks = visits->blocks, keys = visits->share_count * blocks;
    extent total = {0};
    for (int64_t k = 0; k < keys; k++)
        measure(visits->list + start[k], start[k + 1] - start[k], count, NULL, &total);
    // One allocation, zeroed: weights, blocks, groups, rows, indices. Reading runs past the end of weights by
    // up to 16 floats (into the blocks), of rows by two panels and of indices by 24 bytes.
    const size_t weight_bytes = ((total.steps * (size_t)height + 16) * sizeof(float) + 7) / 8 * 8;
    const size_t block_bytes = (size_t)keys * sizeof(snn_csr_block);
    const size_t group_bytes = total.groups * sizeof(snn_csr_group);
    const size_t row_bytes = (total.panels + 2) * (size_t)height * sizeof(int32_t);
    packing->bytes =
        weight_bytes + block_bytes + group_bytes + row_bytes + total.steps * (size_t)index_bytes + 24;
    packing->entries = (int64_t)(total.steps * (size_t)height);
    char *memory = snn_alloc(packing->bytes, 1);
    packing->memory = memory;
    if (!memory)
        return 0;
    snn_csr_block *block = (snn_csr_block *)(void *)(memory + weight_bytes);
    places at = {.weights = (float *)(void *)memory};
    at.groups = (snn_csr_group *)(void *)((char *)block + block_bytes);
    at.rows = (int32_t *)(void *)((char *)at.groups + group_bytes);
    at.indices = (uint8_t *)at.rows + row_bytes;
    for (int64_t k = 0; k < keys; k++) {
        const int64_t share = k / blocks, b = k % blocks;
        const snn_csr_group *groups = at.groups;
        block[k] = (snn_csr_block){.first_column = b * visits->k_block,
                                   .groups = groups,
                                   .rows = at.rows,
                                   .indices = at.indices,
                                   .weights = at.weights};
        write_block(visits->list + start[k], start[k + 1] - start[k], count, height, index_bytes, b,
                    (int32_t)(rows + share), write, packer, &at);
        block[k].group_count = at.groups - groups;
        packing->fills_up |= (start[k + 1] - start[k]) % count != 0;
        if (b == 0)
            shares[share] =
                (snn_csr_tile){.block_count = start[k + 1] > start[k] ? blocks : 0, .blocks = &block[k]};
    }
    return 1;
}

int snn_pack_visits(snn_visits *visits, int64_t rows, int count, int height, int index_bytes,
                    snn_write_panel write, const void *packer, snn_packing *packing)
{
    const int64_t keys = visits->share_count * visits->blocks;
    int64_t *start = snn_alloc((size_t)keys + 1, sizeof *start);
    snn_csr_tile *shares = snn_alloc((size_t)visits->share_count, sizeof *shares);
    packing->shares = shares;
    packing->share_size = sizeof *shares;
    const int packed =
        start && shares && sort(visits, keys, start) &&
        lay_out(visits, start, rows, count, height, index_bytes, write, packer, shares, packing);
    snn_free(start);
    return packed;
}
