/* y = activation(W x + b) for 1 to 4 samples in the column layout, W dense in panels (kernel.h).
 * x (samples, snn_column_stride(columns)), y (samples, row_stride). Bound by reading W once: four panels are read side by
 * side so that enough loads and sums are under way. */
#define SNN_DENSE_VECTORS (SNN_DENSE_ROWS / VF_LANES)  /* vectors a panel */

static inline __attribute__((always_inline)) void SNN_NAME(dense_column)(const int N, const void *packed,
                                                                         const float *restrict x,
                                                                         float *restrict y, int64_t row_stride,
                                                                         const snn_epilogue *e) {
    enum { together = VF_LANES >= 8 ? 4 * VF_LANES / SNN_DENSE_ROWS : 1 };  // panels side by side
    const snn_dense *share = packed;
    const int64_t x_stride = snn_column_stride(share->columns);
    const int64_t panel_size = share->columns * SNN_DENSE_ROWS;
    const int64_t panel_count = (share->row_count + SNN_DENSE_ROWS - 1) / SNN_DENSE_ROWS;
    for (int64_t p0 = 0; p0 < panel_count; p0 += together) {
        const float *w[together];
        vf acc[together][SNN_DENSE_VECTORS][4];
        SNN_UNROLL for (int p = 0; p < together; p++) {
            const int64_t panel = p0 + p < panel_count ? p0 + p : panel_count - 1;
            w[p] = share->weights + panel * panel_size;
            float bias[SNN_DENSE_ROWS] = {0};
            const int64_t r0 = panel * SNN_DENSE_ROWS, left = share->row_count - r0;
            memcpy(bias, e->bias + share->first_row + r0,
                   (size_t)(left < SNN_DENSE_ROWS ? left : SNN_DENSE_ROWS) * sizeof(float));
            SNN_UNROLL for (int v = 0; v < SNN_DENSE_VECTORS; v++)
                SNN_UNROLL for (int n = 0; n < N; n++) acc[p][v][n] = vf_load(bias + v * VF_LANES);
        }
        for (int64_t k = 0; k < share->columns; k++) {
            SNN_UNROLL for (int n = 0; n < N; n++) {
                const vf xk = vf_set1(x[n * x_stride + k]);
                SNN_UNROLL for (int p = 0; p < together; p++)
                    SNN_UNROLL for (int v = 0; v < SNN_DENSE_VECTORS; v++) acc[p][v][n] =
                        vf_fma(vf_load(w[p] + k * SNN_DENSE_ROWS + v * VF_LANES), xk, acc[p][v][n]);
            }
        }
        for (int p = 0; p < together && p0 + p < panel_count; p++) {
            const int64_t r0 = (p0 + p) * SNN_DENSE_ROWS, row = share->first_row + r0;
            const int64_t left = share->row_count - r0;
            const size_t bytes = (size_t)(left < SNN_DENSE_ROWS ? left : SNN_DENSE_ROWS) * sizeof(float);
            for (int n = 0; n < N; n++) {
                float out[SNN_DENSE_ROWS];
                SNN_UNROLL for (int v = 0; v < SNN_DENSE_VECTORS; v++) vf_store(
                    out + v * VF_LANES, vf_activate(acc[p][v][n], e));
                memcpy(y + n * row_stride + row, out, bytes);
            }
        }
    }
}
