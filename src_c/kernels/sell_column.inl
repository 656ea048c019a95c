/* y = activation(W x + b) for 1 or 2 samples in the column layout, W in sliced ELLPACK (kernel.h).
 * x (samples, snn_column_stride(columns)), y (samples, row_stride). Each lane fetches the feature that it reads: bound by
 * those loads, about one a cycle, which is slower than a lookup in registers and pays where a window holds few weights
 * of a row. The loads do not wait for the sums, so one chain a sample keeps them going. */
static inline __attribute__((always_inline)) int SNN_NAME(sell_column)(const int N, const void *packed,
                                                                       const float *restrict x, float *restrict y,
                                                                       int64_t row_stride, const snn_epilogue *e) {
    const snn_sell *share = packed;
    const int64_t x_stride = snn_column_stride(share->columns);
    const uint16_t *indices = share->indices + share->steps[0] * VF_LANES;
    const float *weights = share->weights + share->steps[0] * VF_LANES;
    vn found = vn_none();
    for (int64_t p = 0; p < share->panel_count; p++) {
        const vf bias = SNN_NAME(lane_bias)(&share->lanes, p, e->bias);
        vf acc[4];
        SNN_EACH(n, N) acc[n] = bias;
        for (int64_t s = share->steps[p]; s < share->steps[p + 1]; s++, indices += VF_LANES, weights += VF_LANES) {
            const vf w = vf_load(weights);
            SNN_EACH(n, N) acc[n] = vf_fma(w, vf_gather_u16(x + n * x_stride, indices), acc[n]);
        }
        SNN_EACH(n, N) SNN_NAME(lane_store)(&share->lanes, p, acc[n], y + n * row_stride, e, &found);
    }
    return vn_any(found);
}
