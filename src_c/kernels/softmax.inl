/* Softmax over the features of a sample: exp(x - max) / sum. x and y may be the same. */

/* Columns (features, stride): the samples of a tile, the places behind an axis, or both; they are the vector axis. */
static void SNN_NAME(softmax_tile)(const float *x, float *y, int64_t features, int64_t columns,
                                   int64_t stride) {
    for (int64_t s = 0; s < columns; s += VF_LANES) {
        const int left = columns - s < VF_LANES ? (int)(columns - s) : VF_LANES;
        vf top = SNN_NAME(load_lanes)(x + s, left), sum = vf_zero();
        for (int64_t k = 1; k < features; k++) top = vf_max(SNN_NAME(load_lanes)(x + k * stride + s, left), top);
        for (int64_t k = 0; k < features; k++) {
            const vf power = vf_exp(vf_sub(SNN_NAME(load_lanes)(x + k * stride + s, left), top));
            SNN_NAME(store_lanes)(y + k * stride + s, power, left);
            sum = vf_add(sum, power);
        }
        for (int64_t k = 0; k < features; k++)
            SNN_NAME(store_lanes)(y + k * stride + s, vf_div(SNN_NAME(load_lanes)(y + k * stride + s, left), sum),
                                  left);
    }
}

/* One sample, (features). The sum runs in the order of the tile form, so both give the same bits. */
static void SNN_NAME(softmax_column)(const float *x, float *y, int64_t features) {
    float top = x[0], sum = 0.0f;
    for (int64_t k = 1; k < features; k++) top = x[k] > top ? x[k] : top;
    for (int64_t k = 0; k < features; k += VF_LANES) {
        const int64_t left = features - k;
        const int lanes = left < VF_LANES ? (int)left : VF_LANES;
        const vf power = vf_exp(vf_sub(SNN_NAME(load_lanes)(x + k, lanes), vf_set1(top)));
        SNN_NAME(store_lanes)(y + k, power, lanes);
    }
    for (int64_t k = 0; k < features; k++) sum += y[k];
    for (int64_t k = 0; k < features; k++) y[k] /= sum;
}
