/* Sampled dense-dense product: the weight gradient on a CSR pattern, and the bias gradient.
 * A row of dy is held in registers over up to four vectors of samples; x is read by stored column.
 * Rows of dy and x are stride floats apart, padded with zeros to whole vectors. */

/* Lane i of the result: the sum of the lanes of sums[i]. */
static inline vf SNN_NAME(sum_each)(vf sums[VF_LANES]) {
    vf_transpose(sums);
    SNN_UNROLL for (int half = VF_LANES / 2; half > 0; half /= 2)
        SNN_UNROLL for (int i = 0; i < half; i++) sums[i] = vf_add(sums[i], sums[i + half]);
    return sums[0];
}

static inline __attribute__((always_inline)) void SNN_NAME(sampled_part)(const int V, const int64_t *indptr,
                                                                         const int32_t *indices, int64_t first_row,
                                                                         int64_t last_row, const float *dy,
                                                                         const float *x, int64_t stride,
                                                                         float *ddata) {
    for (int64_t row = first_row; row < last_row; row++) {
        vf held[4];
        SNN_UNROLL for (int v = 0; v < V; v++) held[v] = vf_load(dy + row * stride + v * VF_LANES);
        int64_t p = indptr[row];
        const int64_t end = indptr[row + 1];
        for (; p + VF_LANES <= end; p += VF_LANES) {  // VF_LANES sums are reduced together
            vf sums[VF_LANES];
            SNN_UNROLL for (int i = 0; i < VF_LANES; i++) {
                const float *xk = x + indices[p + i] * stride;
                sums[i] = vf_mul(held[0], vf_load(xk));
                SNN_UNROLL for (int v = 1; v < V; v++) sums[i] = vf_fma(held[v], vf_load(xk + v * VF_LANES), sums[i]);
            }
            vf_store(ddata + p, vf_add(vf_load(ddata + p), SNN_NAME(sum_each)(sums)));
        }
        for (; p < end; p++) {
            const float *xk = x + indices[p] * stride;
            vf sum = vf_mul(held[0], vf_load(xk));
            SNN_UNROLL for (int v = 1; v < V; v++) sum = vf_fma(held[v], vf_load(xk + v * VF_LANES), sum);
            ddata[p] += vf_sum(sum);
        }
    }
}

static void SNN_NAME(sampled)(const int64_t *indptr, const int32_t *indices, int64_t first_row, int64_t last_row,
                              const float *dy, const float *x, int64_t stride, int64_t samples, float *ddata) {
    int64_t s = 0;
    for (; s + 4 * VF_LANES <= samples; s += 4 * VF_LANES)
        SNN_NAME(sampled_part)(4, indptr, indices, first_row, last_row, dy + s, x + s, stride, ddata);
    for (; s < samples; s += VF_LANES)
        SNN_NAME(sampled_part)(1, indptr, indices, first_row, last_row, dy + s, x + s, stride, ddata);
}

static void SNN_NAME(row_sums)(const float *y, int64_t stride, int64_t samples, int64_t first_row, int64_t last_row,
                               float *sum) {
    for (int64_t row = first_row; row < last_row; row++) {
        vf total = vf_zero();
        for (int64_t s = 0; s < samples; s += VF_LANES) total = vf_add(total, vf_load(y + row * stride + s));
        sum[row] = vf_sum(total);
    }
}
