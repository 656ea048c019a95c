/* Pools of one channel, row by row of windows: their rows of x are joined into one line, and that at the windows'
 * columns. A NaN stays: it is larger than anything, whichever comes first. */
static inline __attribute__((always_inline)) vf SNN_NAME(join)(const int is_max, vf before, vf value) {
    if (!is_max) return vf_add(before, value);
    return vf_or_nan(vf_select_lt(before, value, value, before), value);
}

static inline __attribute__((always_inline)) void SNN_NAME(join_rows)(const int is_max, const float *restrict x,
                                                                      int64_t step, int64_t rows, float *restrict line,
                                                                      int64_t width) {
    for (int64_t i = 0; i < width; i += VF_LANES) {
        const int lanes = width - i < VF_LANES ? (int)(width - i) : VF_LANES;
        vf v = vf_set1(is_max ? -INFINITY : 0.0f);
        for (int64_t r = 0; r < rows; r++) v = SNN_NAME(join)(is_max, v, SNN_NAME(load_lanes)(x + r * step + i, lanes));
        SNN_NAME(store_lanes)(line + i, v, lanes);
    }
}

static void SNN_NAME(pool_rows)(int is_max, const float *x, int64_t step, int64_t rows, float *line, int64_t width) {
    if (is_max) SNN_NAME(join_rows)(1, x, step, rows, line, width);
    else SNN_NAME(join_rows)(0, x, step, rows, line, width);
}

static inline __attribute__((always_inline)) void SNN_NAME(join_columns)(const int is_max, const int step,
                                                                         const snn_pool_line *l, float *restrict y) {
    for (int64_t i = 0; i < l->windows; i += VF_LANES) {
        const float *first = l->x + step * i;
        vf v = vf_set1(is_max ? -INFINITY : 0.0f);
        for (int64_t k = 0; k < l->places; k++) {
            const float *p = first + k * l->dilation;
            const vf x = step == 1 ? vf_load(p) : vf_in_order(vf_evens(vf_load(p), vf_load(p + VF_LANES)));
            v = SNN_NAME(join)(is_max, v, x);
        }
        SNN_NAME(store_lanes)(y + i, v, l->windows - i < VF_LANES ? (int)(l->windows - i) : VF_LANES);
    }
}

static void SNN_NAME(pool_line)(int is_max, const snn_pool_line *l, float *y) {
    if (l->stride == 1 && is_max) SNN_NAME(join_columns)(1, 1, l, y);
    else if (l->stride == 1) SNN_NAME(join_columns)(0, 1, l, y);
    else if (l->stride == 2 && is_max) SNN_NAME(join_columns)(1, 2, l, y);
    else if (l->stride == 2) SNN_NAME(join_columns)(0, 2, l, y);
    else
        for (int64_t i = 0; i < l->windows; i++) {
            float joined = is_max ? -INFINITY : 0.0f;
            for (int64_t k = 0; k < l->places; k++) {
                const float x = l->x[i * l->stride + k * l->dilation];
                if (!is_max) joined += x;
                else joined = x > joined || x != x ? x : joined;
            }
            y[i] = joined;
        }
}

/* The way back through the largest of several values: snn_isa.hand_on. NaN is not below anything: it takes all. */
static void SNN_NAME(hand_on)(const float *restrict x, const float *restrict y, float *restrict left,
                              float *restrict dx, int64_t count) {
    for (int64_t i = 0; i < count; i += VF_LANES) {
        const vf xi = vf_load(x + i), yi = vf_load(y + i), slope = vf_load(left + i);
        vf_store(dx + i, vf_add(vf_load(dx + i), vf_select_lt(xi, yi, vf_zero(), slope)));
        vf_store(left + i, vf_select_lt(xi, yi, slope, vf_zero()));
    }
}
