/* y = activation(W x + b) for 1 to 4 samples in the column layout, W CSR in lane panels (kernel.h).
 * x (samples, snn_column_stride(columns)), y (samples, row_stride). No gathers: a window of x is held in registers and looked
 * up by permute. Each row is one chain of multiply-adds, so several panels or samples run side by side.
 * Hot: nearly all of a plan's run at batch 1 is SNN_NAME(column_chunk). */

static inline __attribute__((always_inline)) void SNN_NAME(window_load)(const int H, const float *x,
                                                                        vf block[VF_BLOCK / VF_LANES]) {
    if (!H) vf_block_load(x, block);
    else SNN_UNROLL for (int i = 0; i < VF_BLOCK / VF_LANES / 2; i++) block[i] = vf_load(x + i * VF_LANES);
}

/* Four steps of one panel for N samples; windows (W) each serve 4 / W of them. H: a window is half a block. */
static inline __attribute__((always_inline)) void SNN_NAME(column_chunk)(const int N, const int W, const int H,
                                                                         const uint8_t *record, const float *x,
                                                                         int64_t x_stride, const int32_t *windows,
                                                                         vf acc[4]) {
    const vi indices = vi_load_bytes4(record);
    const float *weights = (const float *)(record + 4 * VF_LANES);
/* Step s, where window i serves it. */
#define SNN_COLUMN_STEP(s)                                                                              \
    if ((s) / (4 / W) == i) {                                                                           \
        const vi index = vi_byte(indices, s);                                                           \
        const vf w = vf_load(weights + (s)*VF_LANES);                                                   \
        SNN_EACH(n, N) acc[n] =                                                                         \
            vf_fma(w, H ? vf_lookup_half(block[n], index) : vf_lookup_block(block[n], index), acc[n]);  \
    }
    SNN_EACH(i, W) {
        vf block[4][VF_BLOCK / VF_LANES];
        SNN_EACH(n, N) SNN_NAME(window_load)(H, x + n * x_stride + windows[i], block[n]);
        SNN_COLUMN_STEP(0)
        SNN_COLUMN_STEP(1)
        SNN_COLUMN_STEP(2)
        SNN_COLUMN_STEP(3)
    }
#undef SNN_COLUMN_STEP
}

/* N samples, P panels side by side: P * N chains; W windows a chunk. */
static inline __attribute__((always_inline)) int SNN_NAME(csr_column)(const int N, const int P, const int W, const int H,
                                                                      const void *packed,
                                                                      const float *restrict x,
                                                                      float *restrict y, int64_t row_stride,
                                                                      const snn_epilogue *e) {
    const snn_csr_column *share = packed;
    const size_t record = SNN_RECORD_BYTES(VF_LANES);
    int64_t x_stride = snn_column_stride(share->columns);
    _Alignas(64) float narrow[4 * VF_BLOCK];
    if (share->columns < VF_BLOCK) {  // fewer features than a window: give it zeros to read
        memset(narrow, 0, sizeof narrow);
        for (int n = 0; n < N; n++)
            memcpy(narrow + n * VF_BLOCK, x + n * x_stride, (size_t)share->columns * sizeof(float));
        x = narrow;
        x_stride = VF_BLOCK;
    }
    vn found = vn_none();
    for (int64_t p0 = 0; p0 < share->panel_count; p0 += P) {
        const int present = share->panel_count - p0 < P ? (int)(share->panel_count - p0) : P;
        vf acc[4][4];
        const uint8_t *records[4];
        const int32_t *windows[4];
        int64_t count[4], common = INT64_MAX;
        SNN_EACH(p, P) {
            const int64_t panel = p0 + (p < present ? p : 0);
            records[p] = share->records + (size_t)share->chunks[panel] * record;
            windows[p] = share->windows + share->chunks[panel] * W;
            count[p] = share->chunks[panel + 1] - share->chunks[panel];
            if (count[p] < common) common = count[p];
            const vf bias = SNN_NAME(lane_bias)(&share->lanes, panel, e->bias);
            SNN_EACH(n, N) acc[p][n] = bias;
        }
        if (present < P) common = 0;
        for (int64_t c = 0; c < common; c++)
            SNN_EACH(p, P)
                SNN_NAME(column_chunk)(N, W, H, records[p] + (size_t)c * record, x, x_stride, windows[p] + c * W, acc[p]);
        SNN_EACH(p, P) {
            if (p >= present) continue;
            for (int64_t c = common; c < count[p]; c++)
                SNN_NAME(column_chunk)(N, W, H, records[p] + (size_t)c * record, x, x_stride, windows[p] + c * W, acc[p]);
            SNN_EACH(n, N)
                SNN_NAME(lane_store)(&share->lanes, p0 + p, acc[p][n], y + n * row_stride, e, &found);
        }
    }
    return vn_any(found);
}
