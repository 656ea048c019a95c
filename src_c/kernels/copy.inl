/* to (rows, to_stride) = from (rows, from_stride): snn_isa.copy. A tile has rows of one to four vectors; a call
 * of memcpy for each would take several times as long. */

/* Rows of V vectors, of which the last ends where the row ends: it begins within the one before if need be. */
static inline __attribute__((always_inline)) void SNN_NAME(copy_rows)(const int V, const float *restrict from,
                                                                      int64_t from_stride, float *restrict to,
                                                                      int64_t to_stride, int64_t rows,
                                                                      int64_t columns) {
    const int64_t last = columns - VF_LANES;
    for (int64_t r = 0; r < rows; r++) {
        SNN_EACH(v, V - 1) vf_store(to + v * VF_LANES, vf_load(from + v * VF_LANES));
        vf_store(to + last, vf_load(from + last));
        from += from_stride;
        to += to_stride;
    }
}

/* Rows of size to 2 size floats: their first and their last size floats. */
static inline __attribute__((always_inline)) void SNN_NAME(copy_ends)(const int size, const float *restrict from,
                                                                      int64_t from_stride, float *restrict to,
                                                                      int64_t to_stride, int64_t rows,
                                                                      int64_t columns) {
    for (int64_t r = 0; r < rows; r++) {
        memcpy(to, from, (size_t)size * sizeof(float));
        memcpy(to + columns - size, from + columns - size, (size_t)size * sizeof(float));
        from += from_stride;
        to += to_stride;
    }
}

/* to (rows, to_stride) = from (rows, from_stride), columns floats of each row. */
static void SNN_NAME(copy)(const float *restrict from, int64_t from_stride, float *restrict to, int64_t to_stride,
                           int64_t rows, int64_t columns) {
    const int64_t vectors = (columns + VF_LANES - 1) / VF_LANES;
    if (columns == 1) SNN_NAME(copy_ends)(1, from, from_stride, to, to_stride, rows, columns);
    else if (columns / 2 == 1) SNN_NAME(copy_ends)(2, from, from_stride, to, to_stride, rows, columns);
    else if (VF_LANES > 4 && columns / 4 == 1) SNN_NAME(copy_ends)(4, from, from_stride, to, to_stride, rows, columns);
    else if (VF_LANES > 8 && columns / 8 == 1) SNN_NAME(copy_ends)(8, from, from_stride, to, to_stride, rows, columns);
    else if (vectors == 1) SNN_NAME(copy_rows)(1, from, from_stride, to, to_stride, rows, columns);
    else if (vectors == 2) SNN_NAME(copy_rows)(2, from, from_stride, to, to_stride, rows, columns);
    else if (vectors == 3) SNN_NAME(copy_rows)(3, from, from_stride, to, to_stride, rows, columns);
    else if (vectors == 4) SNN_NAME(copy_rows)(4, from, from_stride, to, to_stride, rows, columns);
    else
        for (int64_t r = 0; r < rows; r++)
            memcpy(to + r * to_stride, from + r * from_stride, (size_t)columns * sizeof(float));
}

#if VF_LANES >= 8
/* Rows of V vectors under a mask. */
static inline __attribute__((always_inline)) void SNN_NAME(copy_where)(const int V, const float *restrict from,
                                                                       int64_t from_stride, float *restrict to,
                                                                       int64_t to_stride, int64_t rows, uint64_t bits) {
    vm where[4];
    SNN_EACH(v, V) where[v] = vm_of((uint32_t)(bits >> v * VF_LANES) & ((1u << VF_LANES) - 1));
    for (int64_t r = 0; r < rows; r++, from += from_stride, to += to_stride)
        SNN_EACH(v, V) vf_store(to + v * VF_LANES, vf_load_where(from + v * VF_LANES, where[v]));
}

/* to (rows, to_stride) = from where the bit of a column is set, else 0: snn_isa.copy_bits. */
static void SNN_NAME(copy_bits)(const float *restrict from, int64_t from_stride, float *restrict to, int64_t to_stride,
                                int64_t rows, int64_t columns, uint64_t bits) {
    switch (columns / VF_LANES) {
        case 1: SNN_NAME(copy_where)(1, from, from_stride, to, to_stride, rows, bits); break;
        case 2: SNN_NAME(copy_where)(2, from, from_stride, to, to_stride, rows, bits); break;
        case 3: SNN_NAME(copy_where)(3, from, from_stride, to, to_stride, rows, bits); break;
        default: SNN_NAME(copy_where)(4, from, from_stride, to, to_stride, rows, bits); break;
    }
}
#endif

/* Those of so many floats from p on that are step apart, 2 or 4. */
static inline __attribute__((always_inline)) vf SNN_NAME(load_apart)(const int step, const float *p, int floats) {
    vf part[4];
    SNN_EACH(i, step) {
        const int here = floats - i * VF_LANES;
        part[i] = SNN_NAME(load_lanes)(p + i * VF_LANES, here < 0 ? 0 : here > VF_LANES ? VF_LANES : here);
    }
    const vf low = vf_in_order(vf_evens(part[0], part[1]));
    return step == 2 ? low : vf_in_order(vf_evens(low, vf_in_order(vf_evens(part[2 % step], part[3 % step]))));
}

static inline __attribute__((always_inline)) void SNN_NAME(pick_rows)(const int step, const float *restrict from,
                                                                      int64_t from_stride, float *restrict to,
                                                                      int64_t to_stride, int64_t rows,
                                                                      int64_t columns) {
    for (int64_t r = 0; r < rows; r++, from += from_stride, to += to_stride) {
        int64_t c = 0;
        for (; c + VF_LANES < columns; c += VF_LANES)
            vf_store(to + c, SNN_NAME(load_apart)(step, from + step * c, step * VF_LANES));
        const int left = (int)(columns - c);
        SNN_NAME(store_lanes)(to + c, SNN_NAME(load_apart)(step, from + step * c, step * (left - 1) + 1), left);
    }
}

/* Every second float, a vector and more of them a row. The last vector ends where the row ends, as in copy_rows, and
 * its second load begins a float earlier: nothing behind the last float is read. */
static inline void SNN_NAME(pick_twos)(const float *restrict from, int64_t from_stride, float *restrict to,
                                       int64_t to_stride, int64_t rows, int64_t columns) {
    const int64_t last = columns - VF_LANES;
    for (int64_t r = 0; r < rows; r++, from += from_stride, to += to_stride) {
        for (int64_t c = 0; c < last; c += VF_LANES)
            vf_store(to + c, vf_in_order(vf_evens(vf_load(from + 2 * c), vf_load(from + 2 * c + VF_LANES))));
        const float *end = from + 2 * last;
        vf_store(to + last, vf_in_order(vf_evens_odds(vf_load(end), vf_load(end + VF_LANES - 1))));
    }
}

/* to (rows, to_stride): columns floats, step apart, of each row of from: snn_isa.pick. */
static void SNN_NAME(pick)(const float *restrict from, int64_t from_stride, int64_t step, float *restrict to,
                           int64_t to_stride, int64_t rows, int64_t columns) {
    if (step == 2 && columns >= VF_LANES) SNN_NAME(pick_twos)(from, from_stride, to, to_stride, rows, columns);
    else if (step == 2 && VF_LANES == 16) SNN_NAME(pick_rows)(2, from, from_stride, to, to_stride, rows, columns);
    else if (step == 4) SNN_NAME(pick_rows)(4, from, from_stride, to, to_stride, rows, columns);
    else
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++) to[r * to_stride + c] = from[r * from_stride + step * c];
}
