/* Softmax over the rows of scores that come block by block: snn_isa.soften. Columns are by themselves.
 * Source: Milakov and Gimelshein 2018, arXiv:1805.02867 */

/* e^x of x up to 0; 0 below -87, where it is no normal float. NaN stays. */
static inline vf vf_exp_below(vf x) {
    const vf least = vf_set1(-87.0f), a = vf_max(least, x);
    const vf n = vf_round(vf_mul(a, vf_set1(0x1.715476p+0f)));
    const vf power = vf_mul(vf_exp_polynomial(vf_exp_remainder(a, n)), vf_pow2(n));
    return vf_select_lt(x, least, vf_zero(), power);
}

static void SNN_NAME(soften)(float *scores, int64_t rows, float *top, float *sum, float *factor) {
    enum { NB = 2 * VF_LANES };
    SNN_EACH(v, 2) {
        float *const at = scores + v * VF_LANES;
        const vf before = vf_load(top + v * VF_LANES);
        vf most = before;  /* never a NaN: of those the powers tell */
        for (int64_t k = 0; k < rows; k++) most = vf_max(vf_load(at + k * NB), most);
        const vf shrink = vf_exp_below(vf_sub(before, most));
        vf total = vf_mul(vf_load(sum + v * VF_LANES), shrink);
        for (int64_t k = 0; k < rows; k++) {
            const vf power = vf_exp_below(vf_sub(vf_load(at + k * NB), most));
            vf_store(at + k * NB, power);
            total = vf_add(total, power);
        }
        vf_store(top + v * VF_LANES, most);
        vf_store(sum + v * VF_LANES, total);
        vf_store(factor + v * VF_LANES, shrink);
    }
}
