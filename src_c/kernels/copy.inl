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

/* to (rows, to_stride): columns floats, step apart, of each row of from: snn_isa.pick. */
static void SNN_NAME(pick)(const float *restrict from, int64_t from_stride, int64_t step, float *restrict to,
                           int64_t to_stride, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = from + r * from_stride;
        float *target = to + r * to_stride;
        if (step == 2) // of a known step the compiler makes vectors
            for (int64_t c = 0; c < columns; c++) target[c] = row[2 * c];
        else
            for (int64_t c = 0; c < columns; c++) target[c] = row[step * c];
    }
}
