/* Which rows, or panels of rows, have weights in which block of columns, and packing them into the structs of
 * the tile layout (snn_csr_tile in kernel.h). Linear in rows, weights and columns. */
#ifndef SNN_VISITS_H
#define SNN_VISITS_H

#include "pack/pack.h"

/* A row or panel in one block of columns. Every one stands in the first and in the last block. */
typedef struct snn_visit {
    int64_t key;   /* share * blocks + block */
    int64_t from;  /* a row's first stored weight in the block */
    int32_t item;  /* which row or panel */
    int32_t steps; /* columns it has there */
} snn_visit;

typedef struct snn_visits {
    snn_visit *list;
    int64_t count, blocks, k_block;
    int share_count;
} snn_visits;

/* For at most so many visits beside those of the first and last block; 0 when memory is out. */
int snn_visits_init(snn_visits *visits, const snn_csr *csr, int64_t items, int64_t most, int64_t k_block,
                    int share_count);
void snn_visits_clear(snn_visits *visits);
static inline void snn_visits_add(snn_visits *visits, snn_visit visit)
{
    visits->list[visits->count++] = visit;
}

/* Writes one panel of count visits in its places: rows (height), indices and weights of steps. */
typedef void (*snn_write_panel)(const void *packer, const snn_visit *panel, int64_t count, int64_t block,
                                int32_t scratch_row, int32_t *rows, uint8_t *indices, float *weights);

/* Sorts the visits, most steps first in each block, and packs them: count of them a panel of height rows,
 * with so many bytes of indices a step. 0 when memory is out. */
int snn_pack_visits(snn_visits *visits, int64_t rows, int count, int height, int index_bytes,
                    snn_write_panel write, const void *packer, snn_packing *packing);

#endif
