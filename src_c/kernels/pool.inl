/* The way back through the largest of several values: snn_isa.hand_on. NaN is not below anything: it takes all. */
static void SNN_NAME(hand_on)(const float *restrict x, const float *restrict y, float *restrict left,
                              float *restrict dx, int64_t count) {
    for (int64_t i = 0; i < count; i += VF_LANES) {
        const vf xi = vf_load(x + i), yi = vf_load(y + i), slope = vf_load(left + i);
        vf_store(dx + i, vf_add(vf_load(dx + i), vf_select_lt(xi, yi, vf_zero(), slope)));
        vf_store(left + i, vf_select_lt(xi, yi, slope, vf_zero()));
    }
}
