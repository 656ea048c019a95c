/* Rows side by side in the lanes of a vector (snn_lanes in kernel.h): their bias in, their sums out. */

/* The row of y in a lane of panel p, or -1. */
static inline int64_t SNN_NAME(lane_row)(const snn_lanes *lanes, int64_t p, int lane) {
    if (lanes->rows) return lanes->rows[p * VF_LANES + lane];
    return p * VF_LANES + lane < lanes->row_count ? lanes->first_row + p * VF_LANES + lane : -1;
}

/* Whether all lanes of panel p have a row: lanes without one are the last. */
static inline int SNN_NAME(lanes_full)(const snn_lanes *lanes, int64_t p) {
    return SNN_NAME(lane_row)(lanes, p, VF_LANES - 1) >= 0;
}

static inline vf SNN_NAME(lane_bias)(const snn_lanes *lanes, int64_t p, const float *bias) {
    float one[VF_LANES];
    if (SNN_NAME(lanes_full)(lanes, p)) {
        if (!lanes->rows) return vf_load(bias + lanes->first_row + p * VF_LANES);
        const int32_t *rows = lanes->rows + p * VF_LANES;
        SNN_UNROLL for (int i = 0; i < VF_LANES; i++) one[i] = bias[rows[i]];
        return vf_load(one);
    }
    for (int i = 0; i < VF_LANES; i++) {
        const int64_t row = SNN_NAME(lane_row)(lanes, p, i);
        one[i] = row < 0 ? 0.0f : bias[row];
    }
    return vf_load(one);
}

/* found: notes a NaN, of lanes without a row as well. */
static inline void SNN_NAME(lane_store)(const snn_lanes *lanes, int64_t p, vf sum, float *y, const snn_epilogue *e,
                                        vn *found) {
    const vf out = vf_activate(vf_sum_end(sum), e);
    *found = vn_note(*found, out, out);
    float one[VF_LANES];
    vf_store(one, out);
    if (SNN_NAME(lanes_full)(lanes, p)) {
        if (!lanes->rows) {
            vf_store(y + lanes->first_row + p * VF_LANES, out);
            return;
        }
        const int32_t *rows = lanes->rows + p * VF_LANES;
        SNN_UNROLL for (int i = 0; i < VF_LANES; i++) y[rows[i]] = one[i];
        return;
    }
    for (int i = 0; i < VF_LANES; i++) {
        const int64_t row = SNN_NAME(lane_row)(lanes, p, i);
        if (row >= 0) y[row] = one[i];
    }
}
