/* What follows the product of a step of a recurrent cell (snn_units in kernel.h): gates and state in one pass.
 * Usual activations, sigmoid and tanh, are inlined; others are called a vector. NaN stays NaN. */

typedef struct SNN_NAME(units_at) {
    const snn_units *u;
    int64_t i;
    int lanes;
} SNN_NAME(units_at);

static inline vf SNN_NAME(unit_load)(SNN_NAME(units_at) at, const float *p) {
    return SNN_NAME(load_lanes)(p + at.i, at.lanes);
}
static inline void SNN_NAME(unit_store)(SNN_NAME(units_at) at, float *p, vf v) {
    SNN_NAME(store_lanes)(p + at.i, v, at.lanes);
}
/* In training alone: one of the numbers that the way back reads, and what the activation of a gate is given. */
static inline void SNN_NAME(unit_keep)(SNN_NAME(units_at) at, int number, vf v) {
    if (at.u->kept) SNN_NAME(unit_store)(at, at.u->kept + number * at.u->hidden, v);
}
static inline void SNN_NAME(unit_keep_z)(SNN_NAME(units_at) at, int gate, vf v) {
    if (at.u->z) SNN_NAME(unit_store)(at, at.u->z + gate * at.u->hidden, v);
}

/* The sum of a gate within the clip; a NaN survives as the second operand. */
static inline vf SNN_NAME(unit_clip)(SNN_NAME(units_at) at, int gate, vf v) {
    SNN_NAME(unit_keep_z)(at, gate, v);
    return vf_min(vf_set1(at.u->clip), vf_max(vf_set1(-at.u->clip), v));
}

/* What the activation of a gate is given, but for peepholes and the clip. */
static inline vf SNN_NAME(unit_sum)(SNN_NAME(units_at) at, int gate) {
    const int64_t from = gate * at.u->hidden;
    return vf_add(SNN_NAME(unit_load)(at, at.u->sums + from), SNN_NAME(unit_load)(at, at.u->x + from));
}

static inline __attribute__((always_inline)) vf SNN_NAME(unit_sigmoid)(const int usual, vf v, const snn_epilogue *e) {
    return usual ? vf_sigmoid(v) : vf_activate(v, e);
}
static inline __attribute__((always_inline)) vf SNN_NAME(unit_tanh)(const int usual, vf v, const snn_epilogue *e) {
    return usual ? vf_tanh(v) : vf_activate(v, e);
}

static inline int SNN_NAME(units_are_usual)(const snn_units *u) {
    return u->f.activation == SNN_OP_SIGMOID && u->g.activation == SNN_OP_TANH;
}

/* A gate of an LSTM that may look at the cell. */
static inline __attribute__((always_inline)) vf SNN_NAME(lstm_gate)(const int usual, SNN_NAME(units_at) at, int gate,
                                                                    vf cell) {
    const snn_units *u = at.u;
    vf sum = SNN_NAME(unit_sum)(at, gate);
    if (u->peepholes) sum = vf_fma(SNN_NAME(unit_load)(at, u->peepholes + gate * u->hidden), cell, sum);
    const vf made = SNN_NAME(unit_sigmoid)(usual, SNN_NAME(unit_clip)(at, gate, sum), &u->f);
    SNN_NAME(unit_keep)(at, gate, made);
    return made;
}

/* Gates: input, output, forget, cell. */
static inline __attribute__((always_inline)) void SNN_NAME(lstm_units)(const int usual, SNN_NAME(units_at) at) {
    const snn_units *u = at.u;
    const vf before = SNN_NAME(unit_load)(at, u->c_before);
    const vf input = SNN_NAME(lstm_gate)(usual, at, 0, before), forget = SNN_NAME(lstm_gate)(usual, at, 2, before);
    const vf given = SNN_NAME(unit_tanh)(usual, SNN_NAME(unit_clip)(at, 3, SNN_NAME(unit_sum)(at, 3)), &u->g);
    const vf cell = vf_fma(forget, before, vf_mul(input, given));
    const vf output = SNN_NAME(lstm_gate)(usual, at, 1, cell);
    const vf top = SNN_NAME(unit_tanh)(usual, cell, &u->o), h = vf_mul(output, top);
    SNN_NAME(unit_keep)(at, SNN_KEPT_C, given);
    SNN_NAME(unit_keep)(at, SNN_KEPT_TOP, top);
    SNN_NAME(unit_store)(at, u->c, cell);
    SNN_NAME(unit_store)(at, u->h, h);
    SNN_NAME(unit_store)(at, u->y, h);
}

static inline __attribute__((always_inline)) void SNN_NAME(rnn_units)(const int usual, SNN_NAME(units_at) at) {
    const snn_units *u = at.u;
    const vf h = SNN_NAME(unit_tanh)(usual, SNN_NAME(unit_clip)(at, 0, SNN_NAME(unit_sum)(at, 0)), &u->f);
    SNN_NAME(unit_store)(at, u->h, h);
    SNN_NAME(unit_store)(at, u->y, h);
}

/* Gates: update, reset, new. */
static inline __attribute__((always_inline)) void SNN_NAME(gru_gates_units)(const int usual, SNN_NAME(units_at) at) {
    const snn_units *u = at.u;
    const vf update = SNN_NAME(unit_clip)(at, 0, SNN_NAME(unit_sum)(at, 0));
    const vf reset = SNN_NAME(unit_sigmoid)(usual, SNN_NAME(unit_clip)(at, 1, SNN_NAME(unit_sum)(at, 1)), &u->f);
    SNN_NAME(unit_keep)(at, SNN_KEPT_RESET, reset);
    SNN_NAME(unit_store)(at, u->update, SNN_NAME(unit_sigmoid)(usual, update, &u->f));
    SNN_NAME(unit_store)(at, u->reset, u->resets_after ? reset : vf_mul(reset, SNN_NAME(unit_load)(at, u->h_before)));
}

static inline __attribute__((always_inline)) void SNN_NAME(gru_state_units)(const int usual, SNN_NAME(units_at) at) {
    const snn_units *u = at.u;
    const vf x = SNN_NAME(unit_load)(at, u->x + 2 * u->hidden), sum = SNN_NAME(unit_load)(at, u->sums + 2 * u->hidden);
    const vf both = u->resets_after ? vf_fma(SNN_NAME(unit_load)(at, u->reset), sum, x) : vf_add(sum, x);
    const vf made = SNN_NAME(unit_tanh)(usual, SNN_NAME(unit_clip)(at, 2, both), &u->g);
    const vf update = SNN_NAME(unit_load)(at, u->update), before = SNN_NAME(unit_load)(at, u->h_before);
    const vf h = vf_fma(update, before, vf_mul(vf_sub(vf_set1(1.0f), update), made));
    SNN_NAME(unit_keep)(at, SNN_KEPT_NEW, made);
    if (u->resets_after) SNN_NAME(unit_keep)(at, SNN_KEPT_INNER, sum);
    SNN_NAME(unit_store)(at, u->h, h);
    SNN_NAME(unit_store)(at, u->y, h);
}

#define SNN_UNITS(name, usual)                                                              \
    static void SNN_NAME(name)(const snn_units *u) {                                        \
        const int64_t end = u->first + u->count;                                            \
        const int is_usual = (usual);                                                       \
        for (int64_t i = u->first; i < end; i += VF_LANES) {                                \
            const int lanes = end - i < VF_LANES ? (int)(end - i) : VF_LANES;               \
            if (is_usual) SNN_NAME(name##_units)(1, (SNN_NAME(units_at)){u, i, lanes});     \
            else SNN_NAME(name##_units)(0, (SNN_NAME(units_at)){u, i, lanes});              \
        }                                                                                   \
    }
SNN_UNITS(lstm, SNN_NAME(units_are_usual)(u) && u->o.activation == SNN_OP_TANH)
SNN_UNITS(rnn, u->f.activation == SNN_OP_TANH)
SNN_UNITS(gru_gates, SNN_NAME(units_are_usual)(u))
SNN_UNITS(gru_state, SNN_NAME(units_are_usual)(u))
#undef SNN_UNITS
