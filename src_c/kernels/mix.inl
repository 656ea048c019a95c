/* Places between places: snn_isa.mix and mix_rows, (1 - part) low + part high. The same words in both, so the bits are
 * the same in every layout. Where part is 0 high is not read. */

static inline vf SNN_NAME(mixed)(vf low, vf high, vf part) {
    const vf both = vf_fma(part, high, vf_mul(vf_sub(vf_set1(1.0f), part), low));
    return vf_select_lt(vf_zero(), part, both, low);
}

/* y (count) of x, one row. */
static void SNN_NAME(mix)(const float *x, const snn_mix *mixes, int64_t count, float *y) {
    for (int64_t i = 0; i < count; i += VF_LANES) {
        const int lanes = count - i < VF_LANES ? (int)(count - i) : VF_LANES;
        float low[VF_LANES] = {0.0f}, high[VF_LANES] = {0.0f}, part[VF_LANES] = {0.0f};
        for (int l = 0; l < lanes; l++) {
            const snn_mix mix = mixes[i + l];
            low[l] = x[mix.low];
            part[l] = mix.part;
            high[l] = x[mix.low + (mix.part > 0.0f)];
        }
        SNN_NAME(store_lanes)(y + i, SNN_NAME(mixed)(vf_load(low), vf_load(high), vf_load(part)), lanes);
    }
}

/* y (columns) of x (places, columns): one place. */
static void SNN_NAME(mix_rows)(const float *x, snn_mix mix, int64_t columns, float *y) {
    const float *low = x + mix.low * columns;
    if (!(mix.part > 0.0f)) {
        memcpy(y, low, (size_t)columns * sizeof *y);
        return;
    }
    for (int64_t s = 0; s < columns; s += VF_LANES) {
        const int lanes = columns - s < VF_LANES ? (int)(columns - s) : VF_LANES;
        const vf high = SNN_NAME(load_lanes)(low + columns + s, lanes);
        SNN_NAME(store_lanes)(y + s, SNN_NAME(mixed)(SNN_NAME(load_lanes)(low + s, lanes), high, vf_set1(mix.part)),
                              lanes);
    }
}
