/* y = activation(W x + b), W in panels of R rows that share their columns (kernel.h), x (columns, nb) and
 * y (rows, nb) one tile each. A row of x is loaded once for R rows of W, as in a dense product.
 * Hot: SNN_PANEL_STEP. */

/* One shared column: R weights by V vectors of x. Takes the index from the low byte of queue. */
#define SNN_PANEL_STEP()                                                                        \
    do {                                                                                        \
        const float *xk = x + (queue & 255) * (uint64_t)(V * VF_LANES);                         \
        vf xv[4];                                                                               \
        queue >>= 8;                                                                            \
        SNN_EACH(v, V) xv[v] = vf_load(xk + v * VF_LANES);                                      \
        SNN_UNROLL for (int r = 0; r < 16; r += 4) {                                            \
            if (r < R) {                                                                        \
                const vw w = vw_load(weights + r);                                              \
                SNN_EACH(v, V) acc[r][v] = vf_fma_lane(w, 0, xv[v], acc[r][v]);                 \
                SNN_EACH(v, V) acc[r + 1][v] = vf_fma_lane(w, 1, xv[v], acc[r + 1][v]);         \
                if (R > 2) {                                                                    \
                    SNN_EACH(v, V) acc[r + 2][v] = vf_fma_lane(w, 2, xv[v], acc[r + 2][v]);     \
                    SNN_EACH(v, V) acc[r + 3][v] = vf_fma_lane(w, 3, xv[v], acc[r + 3][v]);     \
                }                                                                               \
            }                                                                                   \
        }                                                                                       \
        weights += R;                                                                           \
    } while (0)

/* whole: all blocks, y a tile; else one block, y in planes (kernel.h). */
static inline __attribute__((always_inline)) void SNN_NAME(panel_tile)(const int R, const int V, const int whole,
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
        for (int64_t g = 0; g < block->group_count; g++) {
            const uint32_t steps = block->groups[g].steps;
            for (uint32_t panel = 0; panel < block->groups[g].panels; panel++) {
                vf acc[16][4];
                SNN_UNROLL for (int r = 0; r < R; r++) {
                    const float *from = (whole ? y : sums) + rows[r] * (int64_t)nb;
                    SNN_EACH(v, V) acc[r][v] = first ? vf_set1(e->bias[rows[r]]) : vf_load(from + v * VF_LANES);
                }
                uint32_t left = steps;
                for (; left >= 4; left -= 4) {
                    uint64_t queue = vx_load8(indices);
                    indices += 4;
                    SNN_PANEL_STEP();
                    SNN_PANEL_STEP();
                    SNN_PANEL_STEP();
                    SNN_PANEL_STEP();
                }
                uint64_t queue = vx_load8(indices);
                indices += left;
                for (; left > 0; left--) SNN_PANEL_STEP();
                if (!whole && last && p->addend) {
                    SNN_UNROLL for (int r = 0; r < R; r++) {
                        const float *addend = p->addend + rows[r] * p->addend_stride;
                        SNN_EACH(v, V) acc[r][v] = vf_add(acc[r][v], vf_load(addend + v * VF_LANES));
                    }
                }
                if (last) SNN_ACTIVATE_PANEL(acc, R, V, e);
                SNN_UNROLL for (int r = 0; r < R; r++) {
                    float *to = whole || last ? y + rows[r] * y_stride : sums + rows[r] * (int64_t)nb;
                    SNN_EACH(v, V) vf_store(to + v * VF_LANES, acc[r][v]);
                }
                rows += R;
            }
        }
    }
}

#undef SNN_PANEL_STEP
