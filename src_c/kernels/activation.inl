/* The activations: value and slope of each in vector words, and the list that the kernels switch over.
 *
 * A value is activation(x). A slope maps the gradient dy of the output to that of the input; y is the output and
 * z, the input, is read by those alone whose op says so (reads_input). e holds the attributes in their order.
 * NaN stays NaN: in vf_max(bound, v) and vf_min(bound, v) the second operand's survives. */

/* Few instructions: inlined into every kernel. */
#define SNN_SHORT_ACTIVATIONS(ACTIVATION) \
    ACTIVATION(RELU, relu)                \
    ACTIVATION(CLIP, clip)                \
    ACTIVATION(HARD_SIGMOID, hard_sigmoid)
/* The others, most with an exponential: out of line, so that they do not swell every kernel. */
#define SNN_LONG_ACTIVATIONS(ACTIVATION) \
    ACTIVATION(TANH, tanh)               \
    ACTIVATION(SIGMOID, sigmoid)         \
    ACTIVATION(GELU, gelu)               \
    ACTIVATION(ELU, elu)                 \
    ACTIVATION(LEAKY_RELU, leaky_relu)   \
    ACTIVATION(SILU, silu)               \
    ACTIVATION(HARD_SWISH, hard_swish)   \
    ACTIVATION(SOFTPLUS, softplus)       \
    ACTIVATION(MISH, mish)               \
    ACTIVATION(GELU_TANH, gelu_tanh)
/* Functions of graphs alone: they have no slope here, training takes that of the layer. */
#define SNN_FUNCTIONS(FUNCTION) \
    FUNCTION(ABS, abs)          \
    FUNCTION(EXP, exp)          \
    FUNCTION(LOG, log)          \
    FUNCTION(SQRT, sqrt)

#define SNN_UNUSED __attribute__((unused))
#define SNN_VALUE(name) static inline vf vf_value_##name(vf x, SNN_UNUSED const snn_epilogue *e)
#define SNN_SLOPE(name)                                                        \
    static inline vf vf_slope_##name(vf dy, SNN_UNUSED vf y, SNN_UNUSED const float *z, \
                                     SNN_UNUSED const snn_epilogue *e)

SNN_VALUE(relu) { return vf_max(vf_zero(), x); }
SNN_SLOPE(relu) { return vf_select_lt(vf_zero(), y, dy, vf_zero()); }

SNN_VALUE(clip) { return vf_min(vf_set1(e->high), vf_max(vf_set1(e->low), x)); }
SNN_SLOPE(clip) {
    const vf below_high = vf_select_lt(y, vf_set1(e->high), dy, vf_zero());
    return vf_select_lt(vf_set1(e->low), y, below_high, vf_zero());
}

SNN_VALUE(tanh) { return vf_tanh(x); }
SNN_SLOPE(tanh) { return vf_mul(dy, vf_sub(vf_set1(1.0f), vf_mul(y, y))); }

SNN_VALUE(sigmoid) { return vf_sigmoid(x); }
SNN_SLOPE(sigmoid) { return vf_mul(dy, vf_mul(y, vf_sub(vf_set1(1.0f), y))); }

SNN_VALUE(gelu) { return vf_gelu(x); }
SNN_SLOPE(gelu) {  // Phi(z) + z phi(z), where Phi(z) = y / z
    const vf at = vf_load(z);
    const vf upper = vf_select_lt(vf_abs(at), vf_set1(1e-20f), vf_set1(0.5f), vf_div(y, at));
    const vf density = vf_mul(vf_exp(vf_mul(vf_mul(at, at), vf_set1(-0.5f))), vf_set1(0.39894228f));
    return vf_mul(dy, vf_fma(at, density, upper));
}

SNN_VALUE(elu) { return vf_elu(x, vf_set1(e->low)); }
SNN_SLOPE(elu) {  // alpha e^z = y + alpha below 0
    return vf_select_lt(vf_zero(), y, dy, vf_mul(dy, vf_add(y, vf_set1(e->low))));
}

SNN_VALUE(leaky_relu) { return vf_select_lt(vf_zero(), x, x, vf_mul(vf_set1(e->low), x)); }
SNN_SLOPE(leaky_relu) { return vf_select_lt(vf_zero(), vf_load(z), dy, vf_mul(vf_set1(e->low), dy)); }

/* e^-|x| is 2^n p. Below 0 x e^x / (1 + e^x) is scaled last, so that it keeps its relative accuracy; from -109 on it
 * rounds to 0. */
SNN_VALUE(silu) {
    const vf t = vf_sub(vf_zero(), vf_min(vf_set1(109.0f), vf_abs(x)));
    const vf n = vf_round(vf_mul(t, vf_set1(0x1.715476p+0f)));
    const vf p = vf_exp_polynomial(vf_exp_remainder(t, n));
    const vf both = vf_add(vf_set1(1.0f), vf_scale_down(p, n));
    return vf_select_lt(x, vf_zero(), vf_scale_down(vf_div(vf_mul(t, p), both), n), vf_div(x, both));
}
SNN_SLOPE(silu) {  // s (1 + z (1 - s)), s the logistic function
    const vf at = vf_load(z), s = vf_sigmoid(at), one = vf_set1(1.0f);
    return vf_mul(dy, vf_mul(s, vf_fma(at, vf_sub(one, s), one)));
}

/* x s(u), s the logistic function, of u = 2 sqrt(2 / pi) (x + 0.044715 x^3). */
static inline vf vf_gelu_gate(vf x, vf *bend) {
    const vf square = vf_mul(x, x);
    *bend = vf_fma(square, vf_set1(0x1.b6676cp-3f), vf_set1(0x1.988454p+0f)); /* the slope of u */
    return vf_mul(x, vf_fma(square, vf_set1(0x1.2444f2p-4f), vf_set1(0x1.988454p+0f)));
}
/* As silu; below -11 it rounds to 0. */
SNN_VALUE(gelu_tanh) {
    vf bend;
    const vf u = vf_abs(vf_gelu_gate(vf_max(vf_set1(-16.0f), vf_min(vf_set1(16.0f), x)), &bend));
    const vf t = vf_sub(vf_zero(), vf_min(vf_set1(109.0f), u));
    const vf n = vf_round(vf_mul(t, vf_set1(0x1.715476p+0f)));
    const vf p = vf_exp_polynomial(vf_exp_remainder(t, n));
    const vf both = vf_add(vf_set1(1.0f), vf_scale_down(p, n));
    const vf below = vf_max(vf_set1(-16.0f), x);
    return vf_select_lt(x, vf_zero(), vf_scale_down(vf_div(vf_mul(below, p), both), n), vf_div(x, both));
}
SNN_SLOPE(gelu_tanh) {  // s + z s (1 - s) u'
    const vf at = vf_max(vf_set1(-16.0f), vf_min(vf_set1(16.0f), vf_load(z)));
    vf bend;
    const vf s = vf_sigmoid(vf_gelu_gate(at, &bend));
    return vf_mul(dy, vf_fma(vf_mul(at, bend), vf_mul(s, vf_sub(vf_set1(1.0f), s)), s));
}

SNN_VALUE(hard_sigmoid) {
    const vf line = vf_fma(vf_set1(e->low), x, vf_set1(e->high));
    return vf_min(vf_set1(1.0f), vf_max(vf_zero(), line));
}
SNN_SLOPE(hard_sigmoid) {
    const vf inside = vf_select_lt(y, vf_set1(1.0f), vf_mul(dy, vf_set1(e->low)), vf_zero());
    return vf_select_lt(vf_zero(), y, inside, vf_zero());
}

/* x (x + 3) / 6 in between, where x + 3 loses nothing; 6 times the rounded 1/6 is 1. */
SNN_VALUE(hard_swish) {
    const vf gate = vf_min(vf_set1(6.0f), vf_max(vf_zero(), vf_add(x, vf_set1(3.0f))));
    return vf_mul(vf_max(vf_set1(-3.0f), x), vf_mul(gate, vf_set1(0x1.555556p-3f)));
}
SNN_SLOPE(hard_swish) {  // (2 z + 3) / 6 in between
    const vf at = vf_load(z), third = vf_set1(0x1.555556p-2f);
    const vf inside = vf_mul(dy, vf_fma(at, third, vf_set1(0.5f)));
    return vf_select_lt(vf_set1(-3.0f), at, vf_select_lt(at, vf_set1(3.0f), inside, dy), vf_zero());
}

SNN_VALUE(softplus) { return vf_softplus(x); }
SNN_SLOPE(softplus) { return vf_mul(dy, vf_sigmoid(vf_load(z))); }

SNN_VALUE(mish) { return vf_mish(x); }
SNN_SLOPE(mish) {  // w + z (1 - w^2) s: w = tanh(softplus(z)), s the logistic function
    const vf at = vf_load(z), one = vf_set1(1.0f), w = vf_tanh(vf_softplus(at));
    const vf bend = vf_mul(vf_mul(vf_sub(one, w), vf_add(one, w)), vf_sigmoid(at));
    return vf_mul(dy, vf_fma(at, bend, w));
}

SNN_VALUE(abs) { return vf_abs(x); }
SNN_VALUE(exp) { return vf_exp(x); }
SNN_VALUE(log) { return vf_log(x); }
SNN_VALUE(sqrt) { return vf_sqrt(x); }
