/* y = activation(W x + b), W dense in panels (kernel.h), x (columns, nb) and y (rows, nb) one tile each.
 * R rows by V vectors of y are held in registers over a block of columns whose part of x stays in L1.
 * Hot: the inner loop. */
/* whole: all blocks, y a tile; else one block, y in planes (kernel.h). */
static inline __attribute__((always_inline)) void SNN_NAME(dense_tile)(const int R, const int V, const int whole,
                                                                       const void *packed, const snn_planes *p,
                                                                       const snn_epilogue *e) {
    const snn_dense *share = packed;
    const int nb = V * VF_LANES;
    const int64_t y_stride = whole ? nb : p->y_stride;
    const int64_t block = SNN_DENSE_BLOCK(nb), begin = whole ? 0 : p->block * block;
    const int64_t end = whole || begin + block > share->columns ? share->columns : begin + block;
    const float *restrict x = p->x - begin * nb;
    float *restrict y = p->y, *restrict sums = p->sums;
    for (int64_t k0 = begin; k0 < end; k0 += block) {
        const int64_t k1 = k0 + block < share->columns ? k0 + block : share->columns;
        const int first = k0 == 0, last = k1 == share->columns;
        for (int64_t r0 = 0; r0 < share->row_count; r0 += R) {
            const int64_t panel = r0 / SNN_DENSE_ROWS;
            const float *w0 = share->weights + panel * share->columns * SNN_DENSE_ROWS + r0 % SNN_DENSE_ROWS;
            const int in_panel = share->row_count - r0 < R ? (int)(share->row_count - r0) : R;
            vf acc[16][4];
            SNN_UNROLL for (int r = 0; r < R; r++) {
                const int64_t row = share->first_row + r0 + (r < in_panel ? r : 0);
                SNN_EACH(v, V) acc[r][v] = first ? vf_set1(e->bias[row]) : vf_load((whole ? y : sums) + row * nb + v * VF_LANES);
            }
            for (int64_t k = k0; k < k1; k++) {
                const float *xk = x + k * nb, *wk = w0 + k * SNN_DENSE_ROWS;
                __builtin_prefetch(wk + share->columns * SNN_DENSE_ROWS);  // the next panel
                vf xv[4];
                SNN_EACH(v, V) xv[v] = vf_load(xk + v * VF_LANES);
                SNN_UNROLL for (int q = 0; q < 16; q += 4) {
                    if (q < R) {
                        const vw w = vw_load(wk + q);
                        SNN_EACH(v, V) acc[q][v] = vf_fma_lane(w, 0, xv[v], acc[q][v]);
                        SNN_EACH(v, V) acc[q + 1][v] = vf_fma_lane(w, 1, xv[v], acc[q + 1][v]);
                        if (R > 2) {
                            SNN_EACH(v, V) acc[q + 2][v] = vf_fma_lane(w, 2, xv[v], acc[q + 2][v]);
                            SNN_EACH(v, V) acc[q + 3][v] = vf_fma_lane(w, 3, xv[v], acc[q + 3][v]);
                        }
                    }
                }
            }
            if (!whole && last && p->addend) {
                SNN_UNROLL for (int r = 0; r < R; r++) {
                    const int64_t row = share->first_row + r0 + (r < in_panel ? r : 0);
                    const float *addend = p->addend + row * p->addend_stride;
                    SNN_EACH(v, V) acc[r][v] = vf_add(acc[r][v], vf_load(addend + v * VF_LANES));
                }
            }
            if (last) SNN_ACTIVATE_PANEL(acc, R, V, e);
            SNN_UNROLL for (int r = 0; r < R; r++) {
                if (r >= in_panel) continue;
                const int64_t row = share->first_row + r0 + r;
                float *to = whole || last ? y + row * y_stride : sums + row * nb;
                SNN_EACH(v, V) vf_store(to + v * VF_LANES, acc[r][v]);
            }
        }
    }
}
