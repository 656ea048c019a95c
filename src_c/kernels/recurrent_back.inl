/* The way back through what recurrent.inl does (snn_units_back in kernel.h): the slopes of gates and state in one pass.
 * Usual activations are inlined; of others the slope is found for each vector. */

typedef struct SNN_NAME(back_at) {
    const snn_units_back *u;
    int64_t i;
    int lanes;
} SNN_NAME(back_at);

static inline vf SNN_NAME(back_load)(SNN_NAME(back_at) at, const float *p) {
    return SNN_NAME(load_lanes)(p + at.i, at.lanes);
}
static inline void SNN_NAME(back_store)(SNN_NAME(back_at) at, float *p, vf v) {
    SNN_NAME(store_lanes)(p + at.i, v, at.lanes);
}
static inline vf SNN_NAME(back_kept)(SNN_NAME(back_at) at, int number) {
    return SNN_NAME(back_load)(at, at.u->kept + number * at.u->hidden);
}

static inline int SNN_NAME(back_is_usual)(const snn_units_back *u) {
    return !u->z && u->f.activation == SNN_OP_SIGMOID && u->g.activation == SNN_OP_TANH;
}

/* dy times the slope of any activation whose output is y and whose argument z. */
static __attribute__((noinline)) vf SNN_NAME(any_slope)(vf dy, vf y, const float *z, const snn_epilogue *e) {
    switch (e->activation) {
#define SNN_CASE(NAME, name) \
    case SNN_OP_##NAME: return vf_slope_##name(dy, y, z, e);
        SNN_SHORT_ACTIVATIONS(SNN_CASE)
        SNN_LONG_ACTIVATIONS(SNN_CASE)
#undef SNN_CASE
        default: return dy;
    }
}

/* The same of an argument that may be one of the first lanes of a vector; within the clip, else 0: 0 says none. */
static inline vf SNN_NAME(back_through)(SNN_NAME(back_at) at, vf dy, vf y, const float *from, float clip,
                                        const snn_epilogue *e) {
    float z[VF_LANES] = {0.0f};
    const vf given = from ? SNN_NAME(back_load)(at, from) : vf_zero();
    vf_store(z, vf_min(vf_set1(clip), vf_max(vf_set1(-clip), given)));
    const vf back = SNN_NAME(any_slope)(dy, y, z, e);
    return vf_select_lt(vf_set1(clip), vf_abs(given), vf_zero(), back);
}

/* Through the activation of a gate to its sum. */
static inline __attribute__((always_inline)) vf SNN_NAME(back_sigmoid)(const int usual, SNN_NAME(back_at) at, int gate,
                                                                       vf dy, vf y) {
    const snn_units_back *u = at.u;
    if (usual) return vf_slope_sigmoid(dy, y, NULL, &u->f);
    return SNN_NAME(back_through)(at, dy, y, u->z ? u->z + gate * u->hidden : NULL, u->clip, &u->f);
}
static inline __attribute__((always_inline)) vf SNN_NAME(back_tanh)(const int usual, SNN_NAME(back_at) at, int gate,
                                                                    vf dy, vf y, const snn_epilogue *e) {
    const snn_units_back *u = at.u;
    if (usual) return vf_slope_tanh(dy, y, NULL, e);
    return SNN_NAME(back_through)(at, dy, y, u->z ? u->z + gate * u->hidden : NULL, u->clip, e);
}

/* The gradient of h. */
static inline vf SNN_NAME(back_given)(SNN_NAME(back_at) at) {
    const snn_units_back *u = at.u;
    vf dh = SNN_NAME(back_load)(at, u->dh);
    if (u->direct) dh = vf_add(dh, SNN_NAME(back_load)(at, u->direct));
    return u->dy ? vf_add(dh, SNN_NAME(back_load)(at, u->dy)) : dh;
}

static inline void SNN_NAME(back_put)(SNN_NAME(back_at) at, int gate, vf dz) {
    SNN_NAME(back_store)(at, at.u->dz + gate * at.u->hidden, dz);
}

static inline __attribute__((always_inline)) void SNN_NAME(lstm_back_units)(const int usual, SNN_NAME(back_at) at) {
    const snn_units_back *u = at.u;
    const vf input = SNN_NAME(back_kept)(at, SNN_KEPT_I), output = SNN_NAME(back_kept)(at, SNN_KEPT_O);
    const vf forget = SNN_NAME(back_kept)(at, SNN_KEPT_F), given = SNN_NAME(back_kept)(at, SNN_KEPT_C);
    const vf top = SNN_NAME(back_kept)(at, SNN_KEPT_TOP), before = SNN_NAME(back_load)(at, u->c_before);
    const vf dh = SNN_NAME(back_given)(at);
    const vf of_output = SNN_NAME(back_sigmoid)(usual, at, 1, vf_mul(dh, top), output);
    const vf of_top = vf_mul(dh, output);
    vf dc = SNN_NAME(back_load)(at, u->dc);
    dc = vf_add(dc, usual ? vf_slope_tanh(of_top, top, NULL, &u->o)
                          : SNN_NAME(back_through)(at, of_top, top, u->c, INFINITY, &u->o));
    if (u->peepholes) dc = vf_fma(SNN_NAME(back_load)(at, u->peepholes + u->hidden), of_output, dc);
    const vf of_input = SNN_NAME(back_sigmoid)(usual, at, 0, vf_mul(dc, given), input);
    const vf of_forget = SNN_NAME(back_sigmoid)(usual, at, 2, vf_mul(dc, before), forget);
    vf back = vf_mul(dc, forget);
    if (u->peepholes) {
        back = vf_fma(SNN_NAME(back_load)(at, u->peepholes), of_input, back);
        back = vf_fma(SNN_NAME(back_load)(at, u->peepholes + 2 * u->hidden), of_forget, back);
    }
    SNN_NAME(back_put)(at, 0, of_input);
    SNN_NAME(back_put)(at, 1, of_output);
    SNN_NAME(back_put)(at, 2, of_forget);
    SNN_NAME(back_put)(at, 3, SNN_NAME(back_tanh)(usual, at, 3, vf_mul(dc, input), given, &u->g));
    SNN_NAME(back_store)(at, u->dc, back);
}

static inline __attribute__((always_inline)) void SNN_NAME(rnn_back_units)(const int usual, SNN_NAME(back_at) at) {
    const vf made = SNN_NAME(back_load)(at, at.u->h), dh = SNN_NAME(back_given)(at);
    SNN_NAME(back_put)(at, 0, SNN_NAME(back_tanh)(usual, at, 0, dh, made, &at.u->f));
}

static inline __attribute__((always_inline)) void SNN_NAME(gru_back_units)(const int usual, SNN_NAME(back_at) at) {
    const snn_units_back *u = at.u;
    const vf update = SNN_NAME(back_kept)(at, SNN_KEPT_UPDATE), made = SNN_NAME(back_kept)(at, SNN_KEPT_NEW);
    const vf before = SNN_NAME(back_load)(at, u->h_before), dh = SNN_NAME(back_given)(at);
    const vf of_made = vf_mul(dh, vf_sub(vf_set1(1.0f), update));
    const vf of_new = SNN_NAME(back_tanh)(usual, at, 2, of_made, made, &u->g);
    const vf of_update = SNN_NAME(back_sigmoid)(usual, at, 0, vf_mul(dh, vf_sub(before, made)), update);
    SNN_NAME(back_put)(at, 0, of_update);
    SNN_NAME(back_put)(at, 2, of_new);
    SNN_NAME(back_store)(at, u->direct, vf_mul(dh, update));
    if (!u->resets_after) return;
    const vf reset = SNN_NAME(back_kept)(at, SNN_KEPT_RESET), inner = SNN_NAME(back_kept)(at, SNN_KEPT_INNER);
    const vf of_reset = SNN_NAME(back_sigmoid)(usual, at, 1, vf_mul(of_new, inner), reset);
    SNN_NAME(back_put)(at, 1, of_reset);
    SNN_NAME(back_store)(at, u->dsums, of_update);
    SNN_NAME(back_store)(at, u->dsums + u->hidden, of_reset);
    SNN_NAME(back_store)(at, u->dsums + 2 * u->hidden, vf_mul(of_new, reset));
}

static inline __attribute__((always_inline)) void SNN_NAME(gru_reset_back_units)(const int usual, SNN_NAME(back_at) at) {
    const snn_units_back *u = at.u;
    const vf reset = SNN_NAME(back_kept)(at, SNN_KEPT_RESET), inner = SNN_NAME(back_load)(at, u->inner);
    const vf of_reset = vf_mul(inner, SNN_NAME(back_load)(at, u->h_before));
    SNN_NAME(back_put)(at, 1, SNN_NAME(back_sigmoid)(usual, at, 1, of_reset, reset));
    SNN_NAME(back_store)(at, u->direct, vf_fma(inner, reset, SNN_NAME(back_load)(at, u->direct)));
}

#define SNN_UNITS_BACK(name, usual)                                                         \
    static void SNN_NAME(name)(const snn_units_back *u) {                                   \
        const int64_t end = u->first + u->count;                                            \
        const int is_usual = (usual);                                                       \
        for (int64_t i = u->first; i < end; i += VF_LANES) {                                \
            const int lanes = end - i < VF_LANES ? (int)(end - i) : VF_LANES;               \
            if (is_usual) SNN_NAME(name##_units)(1, (SNN_NAME(back_at)){u, i, lanes});      \
            else SNN_NAME(name##_units)(0, (SNN_NAME(back_at)){u, i, lanes});               \
        }                                                                                   \
    }
SNN_UNITS_BACK(lstm_back, SNN_NAME(back_is_usual)(u) && u->o.activation == SNN_OP_TANH)
SNN_UNITS_BACK(rnn_back, !u->z && u->f.activation == SNN_OP_TANH)
SNN_UNITS_BACK(gru_back, SNN_NAME(back_is_usual)(u))
SNN_UNITS_BACK(gru_reset_back, SNN_NAME(back_is_usual)(u))
#undef SNN_UNITS_BACK
