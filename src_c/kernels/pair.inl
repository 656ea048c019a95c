/* Two values for a value: snn_isa.pair. NaN of either stays NaN. */

#define SNN_PAIRS(PAIR) \
    PAIR(ADD, add)      \
    PAIR(MUL, mul)      \
    PAIR(SUB, sub)      \
    PAIR(DIV, div)      \
    PAIR(MIN, smaller)  \
    PAIR(MAX, larger)   \
    PAIR(PRELU, prelu)    \
    PAIR(EQUAL, equal)    \
    PAIR(LESS, less)      \
    PAIR(LESS_EQUAL, less_equal)

/* Of vf_min's and vf_max's operands a NaN in the second one survives. */
static inline vf vf_smaller(vf a, vf b) { return vf_or_nan(vf_min(a, b), a); }
static inline vf vf_larger(vf a, vf b) { return vf_or_nan(vf_max(a, b), a); }

/* b is the slope below 0: what is not read there does not matter. */
static inline vf vf_prelu(vf a, vf b) { return vf_select_lt(vf_zero(), a, a, vf_mul(b, a)); }

/* 1 or 0. */
static inline vf vf_known(vf v, vf a, vf b) { return vf_or_nan(vf_or_nan(v, a), b); }
static inline vf vf_less(vf a, vf b) { return vf_known(vf_select_lt(a, b, vf_set1(1.0f), vf_zero()), a, b); }
static inline vf vf_less_equal(vf a, vf b) {
    return vf_known(vf_select_lt(b, a, vf_zero(), vf_set1(1.0f)), a, b);
}
static inline vf vf_equal(vf a, vf b) {
    return vf_select_lt(a, b, vf_zero(), vf_less_equal(a, b));
}

/* a where c is not 0, else b; NaN where c is. */
static inline vf vf_where(vf c, vf a, vf b) { return vf_or_nan(vf_select_lt(vf_zero(), vf_abs(c), a, b), c); }

/* A side of lanes floats: a single one for all of them, or so many. */
static inline __attribute__((always_inline)) vf SNN_NAME(pair_side)(const int one, const float *at, int64_t s) {
    return one ? vf_set1(*at) : vf_load(at + s);
}

/* One row; the floats behind the last whole vector are left. */
#define SNN_PAIR_ROW(NAME, name)                                                                              \
    static inline __attribute__((always_inline)) void SNN_NAME(pair_##name)(const int a_one, const int b_one,  \
                                                                            const float *a, const float *b,    \
                                                                            float *y, int64_t count) {         \
        for (int64_t s = 0; s + VF_LANES <= count; s += VF_LANES)                                              \
            vf_store(y + s, vf_##name(SNN_NAME(pair_side)(a_one, a, s), SNN_NAME(pair_side)(b_one, b, s)));    \
        const int64_t whole = count / VF_LANES * VF_LANES;                                                     \
        const int left = (int)(count - whole);                                                                 \
        if (left) {                                                                                            \
            const vf last_a = a_one ? vf_set1(*a) : vf_load_part(a + whole, left);                             \
            const vf last_b = b_one ? vf_set1(*b) : vf_load_part(b + whole, left);                             \
            vf_store_part(y + whole, vf_##name(last_a, last_b), left);                                         \
        }                                                                                                      \
    }
SNN_PAIRS(SNN_PAIR_ROW)
#undef SNN_PAIR_ROW

/* Rows without a gap are one row. */
static void SNN_NAME(pair)(int op, snn_side a, snn_side b, float *y, int64_t rows, int64_t columns) {
    if (!a.one && !b.one && a.step == columns && b.step == columns) {
        columns *= rows;
        rows = 1;
    }
    for (int64_t r = 0; r < rows; r++, y += columns) {
        const float *at = a.at + r * a.step, *bt = b.at + r * b.step;
        switch (op) {
#define SNN_PAIR_CASE(NAME, name)                                                       \
    case SNN_OP_##NAME:                                                                 \
        if (a.one) SNN_NAME(pair_##name)(1, b.one, at, bt, y, columns);                 \
        else if (b.one) SNN_NAME(pair_##name)(0, 1, at, bt, y, columns);                \
        else SNN_NAME(pair_##name)(0, 0, at, bt, y, columns);                           \
        break;
            SNN_PAIRS(SNN_PAIR_CASE)
#undef SNN_PAIR_CASE
        }
    }
}

static inline vf SNN_NAME(select_side)(snn_side side, const float *at, int64_t s, int lanes) {
    return side.one ? vf_set1(*at) : SNN_NAME(load_lanes)(at + s, lanes);
}

/* Three values for a value: snn_isa.select. */
static void SNN_NAME(select)(snn_side c, snn_side a, snn_side b, float *y, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++, y += columns, c.at += c.step, a.at += a.step, b.at += b.step)
        for (int64_t s = 0; s < columns; s += VF_LANES) {
            const int lanes = columns - s < VF_LANES ? (int)(columns - s) : VF_LANES;
            SNN_NAME(store_lanes)(y + s, vf_where(SNN_NAME(select_side)(c, c.at, s, lanes),
                                                  SNN_NAME(select_side)(a, a.at, s, lanes),
                                                  SNN_NAME(select_side)(b, b.at, s, lanes)), lanes);
        }
}
