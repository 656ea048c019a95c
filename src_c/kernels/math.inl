/* exp, tanh, sigmoid, GELU and ELU in vector words: no branches, no libm, the same source for every ISA.
 *
 * NaN gives NaN; infinities give the limits. Denormal inputs and results are kept. Largest errors against
 * double over all 2^32 floats, in units of the last place of the result (tests/test_math.c sweeps them):
 *
 *              exp    tanh   sigmoid  gelu    elu
 *     fused    1.77   1.34   2.41     6.5     0.94    the ISAs with a fused multiply-add give the same bits
 *     scalar   1.71   1.34   2.41     9.2     0.92
 *
 * GELU's are relative even on the far negative side, where the result is tiny. ELU's are those of alpha 1;
 * another alpha adds half a unit.
 * All coefficients are minimax fits made for this file: the best real coefficients by iteratively
 * reweighted least squares (Lawson), then a search over neighbouring floats for the best rounded set. The
 * errors named beside them are those of the exact polynomial or quotient with the rounded coefficients. */

/* e^r - 1 for |r| <= ln(2)/2: r + r^2 P(r), P of degree 4; its error is 3.3e-9 = 2^-28.2 of e^r */
static inline vf vf_expm1_polynomial(vf r) {
    vf p = vf_set1(0x1.6a225p-10f);
    p = vf_fma(p, r, vf_set1(0x1.123b14p-7f));
    p = vf_fma(p, r, vf_set1(0x1.5558dp-5f));
    p = vf_fma(p, r, vf_set1(0x1.55549p-3f));
    p = vf_fma(p, r, vf_set1(0x1.fffffcp-2f));
    return vf_fma(p, vf_mul(r, r), r);
}

static inline vf vf_exp_polynomial(vf r) { return vf_add(vf_expm1_polynomial(r), vf_set1(1.0f)); }

/* x - n ln 2. ln 2 is split in two: n times its upper 16 bits is exact. */
static inline vf vf_exp_remainder(vf x, vf n) {
    return vf_fma(n, vf_set1(-0x1.7f7d1cp-20f), vf_fma(n, vf_set1(-0x1.62e4p-1f), x));
}

/* value * 2^n for integral n in [-152, 152] and value of ordinary size. In two steps, of which the last
 * alone can overflow or become denormal: the result is rounded once however small it is. */
static inline vf vf_scale_pow2(vf value, vf n) {
    const vf half = vf_round(vf_mul(n, vf_set1(0.5f)));
    return vf_mul(vf_mul(value, vf_pow2(half)), vf_pow2(vf_sub(n, half)));
}

/* The same for n in [-190, 0], in fewer steps: the first of the two is exact, and the last rounds. */
static inline vf vf_scale_down(vf value, vf n) {
    return vf_mul(vf_mul(value, vf_pow2(vf_add(n, vf_set1(64.0f)))), vf_set1(0x1p-64f));
}

static inline vf vf_exp(vf x) {
    /* beyond these e^x is infinite or rounds to 0; the operand order keeps NaN */
    const vf a = vf_max(vf_set1(-105.0f), vf_min(vf_set1(89.0f), x));
    const vf n = vf_round(vf_mul(a, vf_set1(0x1.715476p+0f)));
    return vf_scale_pow2(vf_exp_polynomial(vf_exp_remainder(a, n)), n);
}

/* 1 / (1 + e^-x) = e^x / (1 + e^x): the form whose exponential is at most 1. */
static inline vf vf_sigmoid(vf x) {
    const vf one = vf_set1(1.0f);
    const vf e = vf_exp(vf_sub(vf_zero(), vf_abs(x)));
    return vf_div(vf_select_lt(x, vf_zero(), e, one), vf_add(one, e));
}

/* x + x^3 P(x^2) near 0, elsewhere 1 - 2 / (e^2a + 1) with a = |x|, where that loses nothing. */
static inline vf vf_tanh(vf x) {
    const vf one = vf_set1(1.0f), two = vf_set1(2.0f);
    const vf a = vf_min(vf_set1(10.0f), vf_abs(x)); /* tanh rounds to 1 from 9.02 on */
    const vf n = vf_round(vf_mul(a, vf_set1(0x1.715476p+1f)));
    const vf r = vf_exp_remainder(vf_mul(a, two), n);
    const vf e = vf_mul(vf_exp_polynomial(r), vf_pow2(n));
    const vf outer = vf_sub(one, vf_div(two, vf_add(e, one)));
    /* P of degree 4; relative error on [0, 0.625] 5.5e-9 = 2^-27.4 */
    const vf s = vf_mul(a, a);
    vf p = vf_set1(-0x1.75e1b8p-8f);
    p = vf_fma(p, s, vf_set1(0x1.522686p-6f));
    p = vf_fma(p, s, vf_set1(-0x1.b83c5ap-5f));
    p = vf_fma(p, s, vf_set1(0x1.110722p-3f));
    p = vf_fma(p, s, vf_set1(-0x1.555532p-2f));
    const vf inner = vf_fma(vf_mul(s, a), p, a);
    return vf_copysign(vf_select_lt(a, vf_set1(0.625f), inner, outer), x);
}

/* x/2 (1 + erf(x / sqrt 2)) = max(0, x) - a Phi(-a) with a = |x| and Phi the normal distribution function:
 * no cancellation, so even the far negative side keeps its relative accuracy.
 * Phi(-a) = e^(-a^2/2) R(a), R a quotient of polynomials. */
static inline vf vf_gelu(vf x) {
    const vf a = vf_min(vf_set1(15.0f), vf_abs(x)); /* a Phi(-a) rounds to 0 from 14.5 on */
    /* P of degree 4, Q of degree 5, all terms positive; relative error on [0, 14.5] 1.3e-8 = 2^-26.2 */
    vf p = vf_set1(0x1.0dc3c6p-8f);
    p = vf_fma(p, a, vf_set1(0x1.4cddb8p-5f));
    p = vf_fma(p, a, vf_set1(0x1.7743c4p-3f));
    p = vf_fma(p, a, vf_set1(0x1.c0d03ap-2f));
    p = vf_fma(p, a, vf_set1(0.5f));
    vf q = vf_set1(0x1.521896p-7f);
    q = vf_fma(q, a, vf_set1(0x1.a13652p-4f));
    q = vf_fma(q, a, vf_set1(0x1.e0bc9cp-2f));
    q = vf_fma(q, a, vf_set1(0x1.33d72p+0f));
    q = vf_fma(q, a, vf_set1(0x1.acaa4ep+0f));
    q = vf_fma(q, a, vf_set1(1.0f));
    /* -a^2/2 in two parts: that of the rounded square, and that of what the square is off it */
    const vf square = vf_mul(a, a), half = vf_set1(-0.5f);
    const vf n = vf_round(vf_mul(square, vf_set1(-0x1.715476p-1f)));
    const vf r = vf_fma(vf_square_rest(a, square), half, vf_exp_remainder(vf_mul(square, half), n));
    const vf tail = vf_mul(vf_div(vf_mul(a, p), q), vf_exp_polynomial(r));
    return vf_sub(vf_max(vf_zero(), x), vf_scale_down(tail, n));
}

/* x for x > 0, else alpha (e^x - 1). With e^x = 2^n e^r, e^x - 1 = 2^n (e^r - 1) + (2^n - 1): for n = 0, near 0,
 * nothing cancels, so the result keeps its relative accuracy there. */
static inline vf vf_elu(vf x, vf alpha) {
    const vf a = vf_max(vf_set1(-25.0f), vf_min(vf_zero(), x)); /* e^x - 1 rounds to -1 from -17.4 on */
    const vf n = vf_round(vf_mul(a, vf_set1(0x1.715476p+0f)));
    const vf power = vf_pow2(n);
    const vf below = vf_fma(vf_expm1_polynomial(vf_exp_remainder(a, n)), power, vf_sub(power, vf_set1(1.0f)));
    return vf_select_lt(vf_zero(), x, x, vf_mul(alpha, below));
}
