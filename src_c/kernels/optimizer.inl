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

static inline __attribute__((always_inline)) void SNN_NAME(update_kind)(const int kind, const snn_update *u,
                                                                        float *values, const float *gradient,
                                                                        float *first, float *second, int64_t count) {
    const vf scale = vf_set1(u->gradient_scale), clip = vf_set1(u->gradient_limit);
    const vf floor = vf_sub(vf_zero(), clip);
    for (int64_t i = 0; i < count; i += VF_LANES) {
        float parts[4][VF_LANES] = {{0}};
        float *w = values + i, *m = first ? first + i : first, *v = second ? second + i : second;
        const float *g = gradient + i;
        const int64_t left = count - i;
        const size_t bytes = (size_t)left * sizeof(float);
        if (left < VF_LANES) {  // the tail goes through vectors of its own
            memcpy(parts[0], w, bytes);
            memcpy(parts[1], g, bytes);
            if (m) memcpy(parts[2], m, bytes);
            if (v) memcpy(parts[3], v, bytes);
            w = parts[0], g = parts[1], m = parts[2], v = parts[3];
        }
        const vf slope = vf_min(clip, vf_max(floor, vf_mul(scale, vf_load(g))));
        vf_store(w, SNN_NAME(moved)(kind, u, vf_load(w), slope, m, v));
        if (left < VF_LANES) {
            memcpy(values + i, parts[0], bytes);
            if (first) memcpy(first + i, parts[2], bytes);
            if (second) memcpy(second + i, parts[3], bytes);
        }
    }
}

static void SNN_NAME(update)(const snn_update *u, float *values, const float *gradient, float *first, float *second,
                             int64_t count) {
    switch (u->optimizer) {
#define SNN_UPDATE(kind) \
    case kind: SNN_NAME(update_kind)(kind, u, values, gradient, first, second, count); break;
        SNN_UPDATE(SNN_OPTIMIZER_SGD)
        SNN_UPDATE(SNN_OPTIMIZER_MOMENTUM)
        SNN_UPDATE(SNN_OPTIMIZER_NESTEROV)
        SNN_UPDATE(SNN_OPTIMIZER_RMSPROP)
        SNN_UPDATE(SNN_OPTIMIZER_ADAM)
#undef SNN_UPDATE
    }
}
