/* Bias and activation on a vector, fused at the end of a row; activations and their slopes on whole arrays. */

#define SNN_CASE(NAME, name) \
    case SNN_OP_##NAME: return vf_value_##name(v, e);

static __attribute__((noinline)) vf SNN_NAME(activate_long)(vf v, const snn_epilogue *e) {
    switch (e->activation) {
        SNN_LONG_ACTIVATIONS(SNN_CASE)
        SNN_FUNCTIONS(SNN_CASE)
        default: return v;
    }
}

/* The activation of one vector. The branch goes the same way for a whole layer. */
static inline vf vf_activate(vf v, const snn_epilogue *e) {
    switch (e->activation) {
        case SNN_OP_LINEAR: return v;
        SNN_SHORT_ACTIVATIONS(SNN_CASE)
        default: return SNN_NAME(activate_long)(v, e);
    }
}

/* The same where it is a short one: sums that it would have to save around a call stay in registers. Others
 * are left to SNN_NAME(activate). */
static inline vf vf_activate_short(vf v, const snn_epilogue *e) {
    switch (e->activation) {
        SNN_SHORT_ACTIVATIONS(SNN_CASE)
        default: return v;
    }
}
#undef SNN_CASE

#define SNN_CASE(NAME, name) \
    case SNN_OP_##NAME:
static inline int SNN_NAME(is_short)(int activation) {
    switch (activation) {
        SNN_SHORT_ACTIVATIONS(SNN_CASE)
        case SNN_OP_LINEAR: return 1;
        default: return 0;
    }
}
#undef SNN_CASE

/* A sum that is 0 is +0: products that are too small for a float may make it -0, and one more of padding +0. */
static inline vf vf_sum_end(vf sum) { return vf_add(sum, vf_zero()); }

/* The activation of the sums acc (R, V) of a panel: one branch for all of them, where a branch a vector costs up to
 * 4 % of a short row. */
#define SNN_ACTIVATE_PANEL(acc, R, V, e)                                                             \
    do {                                                                                             \
        SNN_UNROLL for (int r = 0; r < (R); r++) SNN_EACH(v, V) acc[r][v] = vf_sum_end(acc[r][v]);         \
        if ((e)->activation == SNN_OP_RELU) {                                                        \
            SNN_UNROLL for (int r = 0; r < (R); r++) SNN_EACH(v, V) acc[r][v] = vf_max(vf_zero(), acc[r][v]); \
        } else if ((e)->activation != SNN_OP_LINEAR) {                                               \
            SNN_UNROLL for (int r = 0; r < (R); r++) SNN_EACH(v, V) acc[r][v] = vf_activate(acc[r][v], e);    \
        }                                                                                            \
    } while (0)

/* y[i] = activation(x[i]). */
static void SNN_NAME(activate)(const float *x, float *y, int64_t count, const snn_epilogue *e) {
    int64_t i = 0;
    for (; i + VF_LANES <= count; i += VF_LANES) vf_store(y + i, vf_activate(vf_load(x + i), e));
    const int left = (int)(count - i);
    if (left) vf_store_part(y + i, vf_activate(vf_load_part(x + i, left), e), left);
}

/* dy[i] *= the activation's slope: the way back through an activation. count is a multiple of VF_LANES. */
static void SNN_NAME(slope)(const float *restrict y, const float *restrict z, float *restrict dy, int64_t count,
                            const snn_epilogue *e) {
    switch (e->activation) {
#define SNN_CASE(NAME, name)                                                                            \
    case SNN_OP_##NAME:                                                                               \
        for (int64_t i = 0; i < count; i += VF_LANES)                                                   \
            vf_store(dy + i, vf_slope_##name(vf_load(dy + i), vf_load(y + i), z ? z + i : z, e));        \
        break;
        SNN_SHORT_ACTIVATIONS(SNN_CASE)
        SNN_LONG_ACTIVATIONS(SNN_CASE)
#undef SNN_CASE
        default: break;
    }
}
