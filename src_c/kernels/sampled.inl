/* Sampled dense-dense product: the gradient of the weights of a CSR packing (csr_tile.inl), one tile.
 *
 * gradient[e] += sum over samples of dy[row of e][s] * x[column of e][s], for the packed weights e in their
 * order. A panel's rows of dy are held in registers; a block of x stays in L1; VF_LANES sums are reduced
 * together. Stores are whole vectors: what lies past a panel's end gets zeros added, which its own panel, the
 * next one, replaces or keeps; past the share's end there are VF_LANES spare floats.
 * Hot: together with csr_tile nearly all of a training step. */
#define SNN_SAMPLED_ROWS (VF_REGISTERS >= 32 ? 4 : 2)
#define SNN_SAMPLED_VECTORS 4

/* Sums of four stored weights, of which the panel has at least count (2 or 4), as a quad. */
static inline __attribute__((always_inline)) vf SNN_NAME(sampled_quad)(const int count, uint64_t queue, const float *x,
                                                                       vf held[4][SNN_SAMPLED_VECTORS]) {
    vf sums[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
    SNN_UNROLL for (int i = 0; i < count; i++) {
        const float *xk = x + (queue & 255) * (uint64_t)(SNN_SAMPLED_VECTORS * VF_LANES);
        const vf *row = held[i % SNN_SAMPLED_ROWS];
        queue >>= 8;
        sums[i] = vf_mul(row[0], vf_load(xk));
        SNN_UNROLL for (int v = 1; v < SNN_SAMPLED_VECTORS; v++)
            sums[i] = vf_fma(row[v], vf_load(xk + v * VF_LANES), sums[i]);
    }
    return vf_quad(sums[0], sums[1], sums[2], sums[3]);
}

/* A first tile begins from +0, as later tiles' padding leaves it: no sum depends on where a weight is packed. */
static inline void SNN_NAME(sampled_store)(float *gradient, vf sums, int first) {
    vf_store(gradient, vf_add(sums, first ? vf_zero() : vf_load(gradient)));
}

static void SNN_NAME(sampled)(const snn_csr_tile *share, const float *restrict tile, const float *restrict dy,
                              float *restrict gradient, float *restrict dbias, int first) {
    enum { R = SNN_SAMPLED_ROWS, V = SNN_SAMPLED_VECTORS, NB = V * VF_LANES };
    enum { UNIT = VF_LANES < 8 ? 8 : VF_LANES };  // weights a round: whole queues of eight indices
    for (int64_t b = 0; b < share->block_count; b++) {
        const snn_csr_block *block = &share->blocks[b];
        const float *x = tile + block->first_column * NB;
        const int32_t *rows = block->rows;
        const uint8_t *indices = block->indices;
        for (int64_t g = 0; g < block->group_count; g++) {
            const uint32_t entries = block->groups[g].steps * (uint32_t)R;
            for (uint32_t panel = 0; panel < block->groups[g].panels; panel++, rows += R) {
                vf held[4][V];
                SNN_UNROLL for (int r = 0; r < R; r += 2) {
                    const uint64_t pair = vx_load8((const uint8_t *)(rows + r));
                    const float *one = dy + (uint64_t)(uint32_t)pair * NB, *two = dy + (pair >> 32) * NB;
                    SNN_UNROLL for (int v = 0; v < V; v++) {
                        held[r][v] = vf_load(one + v * VF_LANES);
                        held[r + 1][v] = vf_load(two + v * VF_LANES);
                    }
                }
                if (b == 0) {  // every row stands in the first block
                    SNN_UNROLL for (int r = 0; r < R; r++) {
                        vf sum = held[r][0];
                        SNN_UNROLL for (int v = 1; v < V; v++) sum = vf_add(sum, held[r][v]);
                        dbias[rows[r]] = vf_sum(sum) + (first ? 0.0f : dbias[rows[r]]);
                    }
                }
                uint32_t left = entries;
                for (; left >= UNIT; left -= UNIT) {
                    vf quads[UNIT / 4];
                    SNN_UNROLL for (int q = 0; q < UNIT / 4; q += 2) {
                        const uint64_t queue = vx_load8(indices + 4 * q);
                        quads[q] = SNN_NAME(sampled_quad)(4, queue, x, held);
                        quads[q + 1] = SNN_NAME(sampled_quad)(4, queue >> 32, x, held);
                    }
                    indices += UNIT;
                    SNN_UNROLL for (int i = 0; i < UNIT; i += VF_LANES)
                        SNN_NAME(sampled_store)(gradient + i, vf_join(quads + i / 4), first);
                    gradient += UNIT;
                }
                if (left) {
                    vf quads[UNIT / 4];
                    SNN_UNROLL for (int q = 0; q < UNIT / 4; q++) {
                        quads[q] = vf_zero();
                        if (left < 4 * (uint32_t)q + 2) continue;
                        const uint64_t queue = vx_load8(indices + 4 * q);
                        if (R == 4 || left >= 4 * (uint32_t)q + 4) quads[q] = SNN_NAME(sampled_quad)(4, queue, x, held);
                        else quads[q] = SNN_NAME(sampled_quad)(2, queue, x, held);
                    }
                    SNN_UNROLL for (int i = 0; i < UNIT; i += VF_LANES)
                        if (left > (uint32_t)i) SNN_NAME(sampled_store)(gradient + i, vf_join(quads + i / 4), first);
                    indices += left;
                    gradient += left;
                }
            }
        }
    }
}
