/* log, softplus and Mish in vector words, as math.inl has the exponential and what is made of it. Largest errors in
 * units of the last place, of every 61st float (tests/test_math.c):
 *
 *              log    softplus  mish
 *     fused    0.86   1.74      4.06
 *     scalar   0.87   1.64      4.06
 *
 * The coefficients are a minimax fit made for this file, as those of math.inl. */

/* log(1 + f) for f in [sqrt(1/2) - 1, sqrt(2) - 1]: f - f^2/2 + f^3 P(f), P of degree 7; its relative error is
 * 5.9e-9 = 2^-27.3 */
static inline vf vf_log1p_polynomial(vf f) {
    vf p = vf_set1(-0x1.38c9dep-4f);
    p = vf_fma(p, f, vf_set1(0x1.055ec6p-3f));
    p = vf_fma(p, f, vf_set1(-0x1.0d8242p-3f));
    p = vf_fma(p, f, vf_set1(0x1.22d92ep-3f));
    p = vf_fma(p, f, vf_set1(-0x1.54728ap-3f));
    p = vf_fma(p, f, vf_set1(0x1.99a01cp-3f));
    p = vf_fma(p, f, vf_set1(-0x1.000226p-2f));
    p = vf_fma(p, f, vf_set1(0x1.555554p-2f));
    const vf square = vf_mul(f, f);
    return vf_add(f, vf_fma(vf_mul(p, f), square, vf_mul(square, vf_set1(-0.5f))));
}

/* x = (1 + f) 2^n with 1 + f between sqrt(1/2) and sqrt(2): n ln 2 + log(1 + f). f is exact, and so is n times the
 * upper 16 bits of ln 2; where n is not 0 nothing cancels. */
static inline vf vf_log(vf x) {
    const vf normal = vf_set1(0x1p-126f), one = vf_set1(1.0f);
    const vf scaled = vf_select_lt(x, normal, vf_mul(x, vf_set1(0x1p25f)), x);
    const vf whole = vf_exponent(scaled);
    const vf significand = vf_scale_pow2(scaled, vf_sub(vf_zero(), whole)); /* in [1, 2) */
    const vf limit = vf_set1(0x1.6a09e6p+0f);
    const vf f = vf_sub(vf_select_lt(limit, significand, vf_mul(significand, vf_set1(0.5f)), significand), one);
    const vf n = vf_sub(vf_add(whole, vf_select_lt(limit, significand, one, vf_zero())),
                        vf_select_lt(x, normal, vf_set1(25.0f), vf_zero()));
    const vf low = vf_fma(n, vf_set1(0x1.7f7d1cp-20f), vf_log1p_polynomial(f));
    const vf y = vf_fma(n, vf_set1(0x1.62e4p-1f), low);
    const vf infinite = vf_set1(__builtin_inff());
    const vf below = vf_select_lt(x, vf_zero(), vf_set1(__builtin_nanf("")), vf_sub(vf_zero(), infinite));
    return vf_select_lt(x, infinite, vf_select_lt(vf_zero(), x, y, below), x);
}

/* log(1 + e^x) = max(0, x) + log(1 + t) with t = e^-|x|, which is at most 1: where it is larger than the polynomial
 * takes, ln 2 + log(1 + (t - 1)/2). */
static inline vf vf_softplus(vf x) {
    const vf t = vf_exp(vf_sub(vf_zero(), vf_abs(x))), limit = vf_set1(0x1.a82798p-2f);
    const vf half = vf_mul(vf_sub(t, vf_set1(1.0f)), vf_set1(0.5f));
    const vf y = vf_log1p_polynomial(vf_select_lt(limit, t, half, t));
    return vf_add(vf_max(vf_zero(), x), vf_select_lt(limit, t, vf_add(y, vf_set1(0x1.62e43p-1f)), y));
}

/* tanh(softplus(x)) = q / (q + 2) with q = e^x (e^x + 2); above 0, with t = e^-x, (1 + 2 t) / (1 + 2 t + 2 t^2). */
static inline vf vf_mish(vf x) {
    /* e^-|x| is 2^n p. Below 0 it is scaled last, as in SiLU: from -109 on x e^x rounds to 0. */
    const vf a = vf_sub(vf_zero(), vf_min(vf_set1(109.0f), vf_abs(x)));
    const vf n = vf_round(vf_mul(a, vf_set1(0x1.715476p+0f)));
    const vf p = vf_exp_polynomial(vf_exp_remainder(a, n));
    const vf t = vf_scale_pow2(p, n), two = vf_set1(2.0f);
    const vf q = vf_mul(t, vf_add(t, two));
    const vf below = vf_div(vf_mul(vf_mul(a, p), vf_add(t, two)), vf_add(q, two));
    const vf more = vf_fma(two, t, vf_set1(1.0f));
    const vf above = vf_div(vf_mul(x, more), vf_fma(vf_mul(two, t), t, more));
    return vf_select_lt(x, vf_zero(), vf_scale_pow2(below, n), above);
}
