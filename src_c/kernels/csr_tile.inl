/* y = activation(W x + b), W CSR in panels (kernel.h), x (columns, nb) and y (rows, nb) one tile each.
 * The batch is the vector axis: a weight is broadcast over it, so there is no gather.
 * Hot: nearly all of a plan's run at batch 16 and above is snn_csr_chunk.
 *
 * Why eight indices at a time through a vector register (vx_load8): on Zen 5 a scalar load among
 * full-width vector loads costs two of them; without scalar loads the loop runs at the rate of the FMAs. */

/* One stored weight: acc[row] += w[lane] * x[index]. Takes the index from the low end of queue: a byte, or two
 * bytes that hold the distance in units of 8 bytes, which saves the shift. */
#define SNN_CSR_ENTRY(e, lane)                                                      \
    do {                                                                            \
        const float *xk = I == 1 ? x + (queue & 255) * (uint64_t)(V * VF_LANES)     \
                                 : x + (queue & 65535) * 2;                         \
        queue >>= 8 * I;                                                            \
        SNN_UNROLL for (int v = 0; v < V; v++) acc[(e) % R][v] =                    \
            vf_fma_lane(w, lane, vf_load(xk + v * VF_LANES), acc[(e) % R][v]);      \
    } while (0)

/* Eight stored weights: 8 / R steps of a panel; two-byte indices come in two queues. */
#define SNN_CSR_CHUNK(weights)                                                      \
    do {                                                                            \
        vw w = vw_load(weights);                                                    \
        SNN_CSR_ENTRY(0, 0);                                                        \
        SNN_CSR_ENTRY(1, 1);                                                        \
        SNN_CSR_ENTRY(2, 2);                                                        \
        SNN_CSR_ENTRY(3, 3);                                                        \
        w = vw_load((weights) + 4);                                                 \
        if (I == 2) queue = upper;                                                  \
        SNN_CSR_ENTRY(4, 0);                                                        \
        SNN_CSR_ENTRY(5, 1);                                                        \
        SNN_CSR_ENTRY(6, 2);                                                        \
        SNN_CSR_ENTRY(7, 3);                                                        \
    } while (0)

/* R is 2, 4 or 8: rows come in pairs, two row numbers a load. */
static inline __attribute__((always_inline)) void SNN_NAME(csr_tile)(const int R, const int V, const int I,
                                                                     const void *packed, const float *restrict tile,
                                                                     float *restrict y, const snn_epilogue *e) {
    const snn_csr_tile *share = packed;
    const int nb = V * VF_LANES;
    for (int64_t b = 0; b < share->block_count; b++) {
        const snn_csr_block *block = &share->blocks[b];
        const float *x = tile + block->first_column * nb;  // x (block columns, nb)
        const int32_t *rows = block->rows;
        const uint8_t *indices = block->indices;
        const float *weights = block->weights;
        const int first = b == 0, last = b == share->block_count - 1;
        uint64_t next = vx_load8(indices), next_upper = I == 2 ? vx_load8(indices + 8) : 0;
        for (int64_t g = 0; g < block->group_count; g++) {
            const uint32_t entries = block->groups[g].steps * (uint32_t)R;
            for (uint32_t panel = 0; panel < block->groups[g].panels; panel++) {
                vf acc[8][8];
                SNN_UNROLL for (int r = 0; r < R; r += 2) {
                    const uint64_t pair = vx_load8((const uint8_t *)(rows + r));
                    SNN_UNROLL for (int i = r; i < r + 2; i++) {
                        const uint64_t row = i == r ? (uint32_t)pair : pair >> 32;
                        SNN_UNROLL for (int v = 0; v < V; v++) acc[i][v] =
                            first ? vf_set1(e->bias[row]) : vf_load(y + row * (uint64_t)nb + v * VF_LANES);
                    }
                }
                uint32_t left = entries;
                for (; left >= 8; left -= 8) {
                    uint64_t queue = next;
                    const uint64_t upper = next_upper;
                    indices += 8 * I;
                    next = vx_load8(indices);
                    if (I == 2) next_upper = vx_load8(indices + 8);
                    SNN_CSR_CHUNK(weights);
                    weights += 8;
                }
                if (R < 8 && left) {  // 1 to 7 entries, a multiple of R
                    uint64_t queue = next;
                    const uint64_t upper = next_upper;
                    const float *tail = weights;
                    indices += left * I;
                    weights += left;
                    next = vx_load8(indices);
                    if (I == 2) next_upper = vx_load8(indices + 8);
                    vw w = vw_load(tail);
                    if (left & 4) {
                        SNN_CSR_ENTRY(0, 0);
                        SNN_CSR_ENTRY(1, 1);
                        SNN_CSR_ENTRY(2, 2);
                        SNN_CSR_ENTRY(3, 3);
                        w = vw_load(tail + 4);
                        if (I == 2) queue = upper;
                    }
                    if (R < 4 && (left & 2)) {
                        SNN_CSR_ENTRY(0, 0);
                        SNN_CSR_ENTRY(1, 1);
                        if (R == 1 && (left & 1)) SNN_CSR_ENTRY(0, 2);
                    } else if (R == 1 && (left & 1)) {
                        SNN_CSR_ENTRY(0, 0);
                    }
                }
                SNN_UNROLL for (int r = 0; r < R; r += 2) {
                    const uint64_t pair = vx_load8((const uint8_t *)(rows + r));
                    SNN_UNROLL for (int i = r; i < r + 2; i++) {
                        float *to = y + (i == r ? (uint32_t)pair : pair >> 32) * (uint64_t)nb;
                        SNN_UNROLL for (int v = 0; v < V; v++) vf_store(
                            to + v * VF_LANES, last ? vf_activate(acc[i][v], e) : acc[i][v]);
                    }
                }
                rows += R;
            }
        }
    }
}

#undef SNN_CSR_ENTRY
#undef SNN_CSR_CHUNK
