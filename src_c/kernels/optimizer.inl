/* One step of an optimizer over the stored values of a parameter: gradient terms, update, proximal step and
 * projection in one pass. Element by element: the result does not depend on how the values are cut. */

/* The proximal operator of the penalty for a step of length u->rate: what makes zeros exact. */
static inline vf SNN_NAME(proximal)(vf w, const snn_update *u) {
    const vf size = vf_abs(w), threshold = vf_set1(u->rate * u->penalty_strength);
    vf shrunk = vf_max(vf_zero(), vf_sub(size, threshold));
    if (u->penalty == SNN_PENALTY_MCP) {  // firm threshold: beyond strength * concavity nothing shrinks
        const vf stretch = vf_set1(1.0f / (1.0f - u->rate / u->penalty_concavity));
        shrunk = vf_select_lt(vf_set1(u->penalty_strength * u->penalty_concavity), size, size,
                              vf_mul(shrunk, stretch));
    }
    return vf_add(vf_copysign(shrunk, w), vf_zero());  // -0 becomes 0
}

static inline __attribute__((always_inline)) vf SNN_NAME(moved)(const int kind, const snn_update *u, vf w, vf g,
                                                                float *first, float *second) {
    const vf rate = vf_set1(u->rate), size = vf_abs(g);
    vf move;
    if (u->l2 != 0.0f) g = vf_fma(vf_set1(u->l2), w, g);
    if (u->l1_slope != 0.0f) {
        const vf slope = vf_copysign(vf_set1(u->l1_slope), w);
        g = vf_add(g, vf_select_lt(vf_zero(), vf_abs(w), slope, vf_zero()));
    }
    if (kind == SNN_OPTIMIZER_SGD) {
        move = vf_mul(rate, g);
    } else if (kind == SNN_OPTIMIZER_MOMENTUM || kind == SNN_OPTIMIZER_NESTEROV) {
        const vf keep = vf_set1((float)u->beta1), velocity = vf_fma(keep, vf_load(first), g);
        vf_store(first, velocity);
        move = vf_mul(rate, kind == SNN_OPTIMIZER_NESTEROV ? vf_fma(keep, velocity, g) : velocity);
    } else if (kind == SNN_OPTIMIZER_RMSPROP) {
        const vf square = vf_fma(vf_set1((float)u->beta2), vf_load(first), vf_mul(vf_set1((float)(1.0 - u->beta2)), vf_mul(g, g)));
        vf_store(first, square);
        move = vf_div(vf_mul(rate, g), vf_add(vf_sqrt(square), vf_set1(u->epsilon)));
    } else {
        const vf mean = vf_fma(vf_set1((float)u->beta1), vf_load(first), vf_mul(vf_set1((float)(1.0 - u->beta1)), g));
        const vf square = vf_fma(vf_set1((float)u->beta2), vf_load(second), vf_mul(vf_set1((float)(1.0 - u->beta2)), vf_mul(g, g)));
        vf_store(first, mean);
        vf_store(second, square);
        move = vf_div(vf_mul(vf_set1(u->adam_rate), mean), vf_add(vf_sqrt(square), vf_set1(u->adam_epsilon)));
        if (u->decay != 0.0f) w = vf_sub(w, vf_mul(vf_set1(u->rate * u->decay), w));
    }
    if (u->move_limit < INFINITY) {
        const vf limited = vf_copysign(vf_min(vf_set1(u->move_limit), vf_abs(move)), move);
        move = vf_select_lt(vf_set1(u->move_threshold), size, limited, move);
    }
    w = vf_sub(w, move);
    if (u->penalty != SNN_PENALTY_NONE) w = SNN_NAME(proximal)(w, u);
    return vf_min(vf_set1(u->high), vf_max(vf_set1(u->low), w));  // NaN stays
}

static inline __attribute__((always_inline)) void SNN_NAME(update_vector)(const int kind, const snn_update *u, float *w,
                                                                          const float *gradient, float *first,
                                                                          float *second) {
    const vf clip = vf_set1(u->gradient_limit), floor = vf_sub(vf_zero(), clip);
    const vf g = vf_min(clip, vf_max(floor, vf_mul(vf_set1(u->gradient_scale), vf_load(gradient))));
    vf_store(w, SNN_NAME(moved)(kind, u, vf_load(w), g, first, second));
}

static inline __attribute__((always_inline)) void SNN_NAME(update_kind)(const int kind, const snn_update *u,
                                                                        float *values, const float *gradient,
                                                                        float *first, float *second, int64_t count) {
    int64_t i = 0;
    for (; i + VF_LANES <= count; i += VF_LANES)
        SNN_NAME(update_vector)(kind, u, values + i, gradient + i, first ? first + i : NULL,
                                second ? second + i : NULL);
    if (i < count) {  // the tail goes through vectors of its own
        const size_t bytes = (size_t)(count - i) * sizeof(float);
        float w[VF_LANES] = {0}, g[VF_LANES] = {0}, m[VF_LANES] = {0}, v[VF_LANES] = {0};
        memcpy(w, values + i, bytes);
        memcpy(g, gradient + i, bytes);
        if (first) memcpy(m, first + i, bytes);
        if (second) memcpy(v, second + i, bytes);
        SNN_NAME(update_vector)(kind, u, w, g, m, v);
        memcpy(values + i, w, bytes);
        if (first) memcpy(first + i, m, bytes);
        if (second) memcpy(second + i, v, bytes);
    }
}

static void SNN_NAME(update)(const snn_update *u, float *values, const float *gradient, float *first, float *second,
                             int64_t count) {
    const snn_update own = *u;  // which no store can change
    switch (own.optimizer) {
#define SNN_UPDATE(kind) \
    case kind: SNN_NAME(update_kind)(kind, &own, values, gradient, first, second, count); break;
        SNN_UPDATE(SNN_OPTIMIZER_SGD)
        SNN_UPDATE(SNN_OPTIMIZER_MOMENTUM)
        SNN_UPDATE(SNN_OPTIMIZER_NESTEROV)
        SNN_UPDATE(SNN_OPTIMIZER_RMSPROP)
        SNN_UPDATE(SNN_OPTIMIZER_ADAM)
#undef SNN_UPDATE
    }
}
