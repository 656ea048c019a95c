/* y = activation(W x + b) for 1 to 4 samples in the column layout, W dense in panels (kernel.h).
 * x (samples, snn_column_stride(columns)), y (samples, row_stride). Bound by reading W once: four panels are read side by
 * side so that enough loads and sums are under way. */
#define SNN_DENSE_VECTORS (SNN_DENSE_ROWS / VF_LANES)  /* vectors a panel */

/* How many lanes of a vector that begins at this row of the share are rows. */
static inline int SNN_NAME(dense_lanes)(const snn_dense *share, int64_t row) {
    const int64_t left = share->row_count - row;
    return left >= VF_LANES ? VF_LANES : left > 0 ? (int)left : 0;
}

static inline __attribute__((always_inline)) int SNN_NAME(dense_column)(const int N, const void *packed,
                                                                        const float *restrict x,
                                                                        float *restrict y, int64_t row_stride,
                                                                        const snn_epilogue *e) {
    enum { together = VF_LANES >= 8 ? 4 * VF_LANES / SNN_DENSE_ROWS : 1 };  // panels side by side
    const snn_dense *share = packed;
    const int64_t x_stride = snn_column_stride(share->columns);
    const int64_t panel_size = share->columns * SNN_DENSE_ROWS;
    const int64_t panel_count = (share->row_count + SNN_DENSE_ROWS - 1) / SNN_DENSE_ROWS;
    vn found = vn_none();
    for (int64_t p0 = 0; p0 < panel_count; p0 += together) {
        const float *w[together];
        vf acc[together][SNN_DENSE_VECTORS][4];
        SNN_EACH(p, together) {
            const int64_t panel = p0 + p < panel_count ? p0 + p : panel_count - 1;
            w[p] = share->weights + panel * panel_size;
            SNN_EACH(v, SNN_DENSE_VECTORS) {
                const int64_t row = panel * SNN_DENSE_ROWS + v * VF_LANES;
                const int lanes = SNN_NAME(dense_lanes)(share, row);
                const float *from = e->bias + share->first_row + row;
                const vf bias = lanes == VF_LANES ? vf_load(from) : vf_load_part(from, lanes);
                SNN_EACH(n, N) acc[p][v][n] = bias;
            }
        }
        for (int64_t k = 0; k < share->columns; k++) {
            SNN_EACH(n, N) {
                const vf xk = vf_set1(x[n * x_stride + k]);
                SNN_EACH(p, together)
                    SNN_EACH(v, SNN_DENSE_VECTORS) acc[p][v][n] =
                        vf_fma(vf_load(w[p] + k * SNN_DENSE_ROWS + v * VF_LANES), xk, acc[p][v][n]);
            }
        }
        float sums[together][4][SNN_DENSE_ROWS];  // so that no index into acc varies: it then stays in registers
        SNN_EACH(p, together)
            SNN_EACH(n, N)
                SNN_EACH(v, SNN_DENSE_VECTORS) vf_store(sums[p][n] + v * VF_LANES, acc[p][v][n]);
        for (int p = 0; p < together && p0 + p < panel_count; p++) {
            for (int v = 0; v < SNN_DENSE_VECTORS; v++) {
                const int64_t row = (p0 + p) * SNN_DENSE_ROWS + v * VF_LANES;
                const int lanes = SNN_NAME(dense_lanes)(share, row);
                for (int n = 0; n < N; n++) {
                    float *to = y + n * row_stride + share->first_row + row;
                    const vf out = vf_activate(vf_sum_end(vf_load(sums[p][n] + v * VF_LANES)), e);
                    found = vn_note(found, out, out);
                    if (lanes == VF_LANES) vf_store(to, out);
                    else vf_store_part(to, out, lanes);
                }
            }
        }
    }
    return vn_any(found);
}
