/* Softmax over the features of a sample: exp(x - max) / sum. x and y may be the same. */

/* Samples of one tile, (features, stride): samples are the vector axis, a multiple of VF_LANES. */
static void SNN_NAME(softmax_tile)(const float *x, float *y, int64_t features, int64_t samples,
                                   int64_t stride) {
    for (int64_t s = 0; s < samples; s += VF_LANES) {
        vf top = vf_load(x + s), sum = vf_zero();
        for (int64_t k = 1; k < features; k++) top = vf_max(vf_load(x + k * stride + s), top);
        for (int64_t k = 0; k < features; k++) {
            const vf power = vf_exp(vf_sub(vf_load(x + k * stride + s), top));
            vf_store(y + k * stride + s, power);
            sum = vf_add(sum, power);
        }
        for (int64_t k = 0; k < features; k++)
            vf_store(y + k * stride + s, vf_div(vf_load(y + k * stride + s), sum));
    }
}

/* One sample, (features). The sum runs in the order of the tile form, so both give the same bits. */
static void SNN_NAME(softmax_column)(const float *x, float *y, int64_t features) {
    float top = x[0], sum = 0.0f;
    for (int64_t k = 1; k < features; k++) top = x[k] > top ? x[k] : top;
    for (int64_t k = 0; k < features; k += VF_LANES) {
        const int64_t left = features - k;
        const vf part = left >= VF_LANES ? vf_load(x + k) : vf_load_part(x + k, (int)left);
        const vf power = vf_exp(vf_sub(part, vf_set1(top)));
        if (left >= VF_LANES) vf_store(y + k, power);
        else vf_store_part(y + k, power, (int)left);
    }
    for (int64_t k = 0; k < features; k++) sum += y[k];
    for (int64_t k = 0; k < features; k++) y[k] /= sum;
}
