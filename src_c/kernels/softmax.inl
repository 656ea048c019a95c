/* Softmax over the features of a sample: exp(x - max) / sum; log: its logarithm, x - max - log(sum). x and y may be the
 * same. */

/* Columns (features, stride): the samples of a tile, the places behind an axis, or both; they are the vector axis. */
static void SNN_NAME(softmax_tile)(int log, const float *x, float *y, int64_t features, int64_t columns,
                                   int64_t stride) {
    for (int64_t s = 0; s < columns; s += VF_LANES) {
        const int left = columns - s < VF_LANES ? (int)(columns - s) : VF_LANES;
        vf top = SNN_NAME(load_lanes)(x + s, left), sum = vf_zero();
        for (int64_t k = 1; k < features; k++) top = vf_max(SNN_NAME(load_lanes)(x + k * stride + s, left), top);
        for (int64_t k = 0; k < features; k++) {
            const vf power = vf_exp(vf_sub(SNN_NAME(load_lanes)(x + k * stride + s, left), top));
            if (!log) SNN_NAME(store_lanes)(y + k * stride + s, power, left);
            sum = vf_add(sum, power);
        }
        if (log) sum = vf_log(sum);
        for (int64_t k = 0; k < features; k++) {
            const vf at = SNN_NAME(load_lanes)((log ? x : y) + k * stride + s, left);
            SNN_NAME(store_lanes)(y + k * stride + s, log ? vf_sub(vf_sub(at, top), sum) : vf_div(at, sum), left);
        }
    }
}

/* One sample, (features). The sum runs in the order of the tile form, so both give the same bits. */
static void SNN_NAME(softmax_column)(int log, const float *x, float *y, int64_t features) {
    float top = x[0], sum = 0.0f, powers[VF_LANES];
    for (int64_t k = 1; k < features; k++) top = x[k] > top ? x[k] : top;
    for (int64_t k = 0; k < features; k += VF_LANES) {
        const int64_t left = features - k;
        const int lanes = left < VF_LANES ? (int)left : VF_LANES;
        const vf power = vf_exp(vf_sub(SNN_NAME(load_lanes)(x + k, lanes), vf_set1(top)));
        vf_store(powers, power);
        if (!log) SNN_NAME(store_lanes)(y + k, power, lanes);
        for (int l = 0; l < lanes; l++) sum += powers[l];
    }
    if (log) {
        vf_store(powers, vf_log(vf_set1(sum)));
        for (int64_t k = 0; k < features; k++) y[k] = x[k] - top - powers[0];
    } else {
        for (int64_t k = 0; k < features; k++) y[k] /= sum;
    }
}
