/* Whether there is a NaN among count values: snn_isa.has_nan. Called after every tile, so it takes no more than the
 * loads. */
static int SNN_NAME(has_nan)(const float *x, int64_t count) {
    vn found = vn_none();
    int64_t i = 0;
    for (; i + 4 * VF_LANES <= count; i += 4 * VF_LANES) {
        found = vn_note(found, vf_load(x + i), vf_load(x + i + VF_LANES));
        found = vn_note(found, vf_load(x + i + 2 * VF_LANES), vf_load(x + i + 3 * VF_LANES));
    }
    for (; i + VF_LANES <= count; i += VF_LANES) found = vn_note(found, vf_load(x + i), vf_zero());
    if (i < count) found = vn_note(found, vf_load_part(x + i, (int)(count - i)), vf_zero());
    return vn_any(found);
}
