/* y = activation(W x + b), W CSR in panels (kernel.h), x (columns, nb) and y (rows, nb) one tile each.
 * The batch is the vector axis: a weight is broadcast over it, so there is no gather.
 * Hot: nearly all of a plan's run at batch 16 and above is snn_csr_chunk.
 *
 * Why eight indices at a time through a vector register (vx_load8): on Zen 5 a scalar load among
 * full-width vector loads costs two of them; without scalar loads the loop runs at the rate of the FMAs.
 * Loads are what the loop has least of, one a multiply-add for x: so weights come sixteen a load where a
 * vector holds as many, and are spread from registers.
 *
 * On Sapphire Rapids and its like it is the other way round: multiply-adds share a port with shuffles and moves out of
 * vector registers, and scalar loads have a port of their own. So each shape is there a second time (I is 0): two-byte
 * indices and weights, a load each. The tuner takes what is faster. */

/* One stored weight: acc[row] += w[lane] * x[index]. Takes the index from the low end of queue: a byte, or two
 * bytes that hold the distance in units of 8 bytes, which saves the shift. */
#define SNN_CSR_ENTRY(e, lane)                                                      \
    do {                                                                            \
        const float *xk = I == 1 ? x + (queue & 255) * (uint64_t)(V * VF_LANES)     \
                                 : x + (queue & 65535) * 2;                         \
        queue >>= 8 * I;                                                            \
        SNN_EACH(v, V) acc[(e) % R][v] =                                            \
            vf_fma_lane(w, lane, vf_load(xk + v * VF_LANES), acc[(e) % R][v]);      \
    } while (0)

/* Four stored weights, the first of them the e-th of a chunk. */
#define SNN_CSR_FOUR(four, e)      \
    do {                           \
        const vw w = (four);       \
        SNN_CSR_ENTRY((e), 0);     \
        SNN_CSR_ENTRY((e) + 1, 1); \
        SNN_CSR_ENTRY((e) + 2, 2); \
        SNN_CSR_ENTRY((e) + 3, 3); \
    } while (0)

/* Row r of a panel of R. Two row numbers a load, as with indices; where a panel has eight rows, a vector fewer than 16
 * lanes or indices are loaded one by one, plain loads are faster. */
static inline uint64_t SNN_NAME(panel_row)(const int32_t *rows, int r, const int R, const int I) {
    if (R == 8 || I == 0 || VF_LANES < 16) return (uint32_t)rows[r];
    const uint64_t pair = vx_load8((const uint8_t *)(rows + r / 2 * 2));
    return r % 2 ? pair >> 32 : (uint32_t)pair;
}

/* Lines of the next block of x (floats long) that each group of panels fetches ahead. Where threads split a layer
 * by rows, x was written by other cores, and the weights of a block hide the way there: if lines are used often. */
#define SNN_FETCH_USES 32
static inline int64_t SNN_NAME(lines_ahead)(const snn_csr_block *block, int R, int64_t floats) {
    int64_t uses = 0;
    for (int64_t g = 0; g < block->group_count; g++)
        uses += (int64_t)block->groups[g].panels * block->groups[g].steps * R;
    if (uses == 0 || uses < SNN_FETCH_USES * (floats / 16)) return 0;  // without uses there may be no group either
    return floats / 16 / block->group_count + 1;
}

/* Lines of y, and of what is added, for a panel two ahead: planes lie too far apart for the processor to guess. */
static inline __attribute__((always_inline)) void SNN_NAME(fetch_planes)(const snn_planes *p, const int32_t *rows,
                                                                         const int R, const int nb) {
    SNN_UNROLL for (int r = 0; r < R; r++) {
        const int64_t row = rows[r];
        for (int i = 0; i < nb; i += 16) {
            __builtin_prefetch(p->y + row * p->y_stride + i, 1, 3);
            if (p->addend) __builtin_prefetch(p->addend + row * p->addend_stride + i, 0, 3);
        }
    }
}

/* So many steps of R rows: an index and a weight a load. */
#define SNN_CSR_LOADED(steps)                                                          \
    do {                                                                               \
        SNN_UNROLL for (int e = 0; e < (steps) * R; e++) {                             \
            const float *xk = x + ((const uint16_t *)(const void *)indices)[e] * (uint64_t)2; \
            const vf w = vf_set1(weights[e]);                                          \
            SNN_EACH(v, V) acc[e % R][v] = vf_fma(w, vf_load(xk + v * VF_LANES), acc[e % R][v]); \
        }                                                                              \
        indices += (steps) * R * 2;                                                    \
        weights += (steps) * R;                                                        \
    } while (0)

/* R is 2, 4 or 8; I: bytes of an index that comes with others, 0: loaded by itself. whole: all blocks, y a tile; else one
 * block, y in planes (kernel.h). */
static inline __attribute__((always_inline)) void SNN_NAME(csr_tile)(const int R, const int V, const int I, const int whole,
                                                                     const void *packed, const snn_planes *p,
                                                                     const snn_epilogue *e) {
    const snn_csr_tile *share = packed;
    const int nb = V * VF_LANES;
    const int64_t y_stride = whole ? nb : p->y_stride;
    const int64_t end = whole || share->block_count == 0 ? share->block_count : p->block + 1;  // 0 without rows
    float *restrict y = p->y, *restrict sums = p->sums;
    for (int64_t b = whole ? 0 : p->block; b < end; b++) {
        const snn_csr_block *block = &share->blocks[b];
        const float *restrict x = whole ? p->x + block->first_column * nb : p->x;  // x (block columns, nb)
        const int32_t *rows = block->rows;
        const uint8_t *indices = block->indices;
        const float *weights = block->weights;
        const int first = b == 0, last = b == share->block_count - 1;
        uint64_t next = I ? vx_load8(indices) : 0, next_upper = I == 2 ? vx_load8(indices + 8) : 0;
        // With more samples threads rarely split rows.
        const float *ahead = whole && nb <= 16 && !last ? p->x + block[1].first_column * nb : NULL;
        const int64_t lines = ahead ? SNN_NAME(lines_ahead)(block, R, ahead - x) : 0;
        for (int64_t g = 0; g < block->group_count; g++) {
            for (int64_t l = 0; l < lines; l++, ahead += 16) __builtin_prefetch(ahead, 0, 2);
            const uint32_t entries = block->groups[g].steps * (uint32_t)R;
            for (uint32_t panel = 0; panel < block->groups[g].panels; panel++) {
                if (!whole && last) SNN_NAME(fetch_planes)(p, rows + 2 * R, R, nb);
                vf acc[8][8];
                SNN_UNROLL for (int r = 0; r < R; r++) {
                    const uint64_t row = SNN_NAME(panel_row)(rows, r, R, I);
                    SNN_EACH(v, V) acc[r][v] =
                        first ? vf_set1(e->bias[row]) : vf_load((whole ? y : sums) + row * (uint64_t)nb + v * VF_LANES);
                }
                uint32_t left = entries;
                if (I == 0) {
                    for (; left >= 2u * R; left -= 2 * R) SNN_CSR_LOADED(2);
                    if (left) SNN_CSR_LOADED(1);
                    left = 0;
                }
#if VF_LANES == 16
                for (; left >= 16; left -= 16) {
                    uint64_t queue = next;
                    const uint64_t upper = next_upper, third = vx_load8(indices + 8 * I);
                    const uint64_t fourth = I == 2 ? vx_load8(indices + 24) : 0;
                    const vf sixteen = vf_load(weights);
                    indices += 16 * I;
                    weights += 16;
                    next = vx_load8(indices);
                    if (I == 2) next_upper = vx_load8(indices + 8);
                    SNN_CSR_FOUR(vw_quarter(sixteen, 0), 0);
                    if (I == 2) queue = upper;
                    SNN_CSR_FOUR(vw_quarter(sixteen, 1), 4);
                    queue = third;
                    SNN_CSR_FOUR(vw_quarter(sixteen, 2), 0);
                    if (I == 2) queue = fourth;
                    SNN_CSR_FOUR(vw_quarter(sixteen, 3), 4);
                }
#endif
                for (; left >= 8; left -= 8) {
                    uint64_t queue = next;
                    const uint64_t upper = next_upper;
                    const float *eight = weights;
                    indices += 8 * I;
                    weights += 8;
                    next = vx_load8(indices);
                    if (I == 2) next_upper = vx_load8(indices + 8);
                    SNN_CSR_FOUR(vw_load(eight), 0);
                    if (I == 2) queue = upper;
                    SNN_CSR_FOUR(vw_load(eight + 4), 4);
                }
                if (R < 8 && left) {  // 1 to 7 entries, a multiple of R
                    uint64_t queue = next;
                    const uint64_t upper = next_upper;
                    const float *tail = weights;
                    indices += left * I;
                    weights += left;
                    next = vx_load8(indices);
                    if (I == 2) next_upper = vx_load8(indices + 8);
                    if (left & 4) {
                        SNN_CSR_FOUR(vw_load(tail), 0);
                        tail += 4;
                        if (I == 2) queue = upper;
                    }
                    if (R == 2 && (left & 2)) {
                        const vw w = vw_load(tail);
                        SNN_CSR_ENTRY(0, 0);
                        SNN_CSR_ENTRY(1, 1);
                    }
                }
                if (!whole && last && p->addend) {
                    SNN_UNROLL for (int r = 0; r < R; r++) {
                        const float *addend = p->addend + SNN_NAME(panel_row)(rows, r, R, I) * (uint64_t)p->addend_stride;
                        SNN_EACH(v, V) acc[r][v] = vf_add(acc[r][v], vf_load(addend + v * VF_LANES));
                    }
                }
                if (last) SNN_ACTIVATE_PANEL(acc, R, V, e);
                SNN_UNROLL for (int r = 0; r < R; r++) {
                    const uint64_t row = SNN_NAME(panel_row)(rows, r, R, I);
                    float *to = whole || last ? y + row * (uint64_t)y_stride : sums + row * (uint64_t)nb;
                    SNN_EACH(v, V) vf_store(to + v * VF_LANES, acc[r][v]);
                }
                rows += R;
            }
        }
    }
}

/* The same with an index and a weight a load. */
static inline __attribute__((always_inline)) void SNN_NAME(csr_loads)(const int R, const int V, const int whole,
                                                                      const void *packed, const snn_planes *p,
                                                                      const snn_epilogue *e) {
    SNN_NAME(csr_tile)(R, V, 0, whole, packed, p, e);
}

#undef SNN_CSR_LOADED
#undef SNN_CSR_ENTRY
#undef SNN_CSR_FOUR
