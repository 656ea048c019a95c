/* to (rows, to_stride) = from (rows, from_stride): snn_isa.copy. A tile has rows of one to four vectors; a call
 * of memcpy for each would take several times as long. */

/* V vectors of each row, and then the last part < VF_LANES floats, halves of a vector first. */
static inline __attribute__((always_inline)) void SNN_NAME(copy_rows)(const int V, const int64_t part,
                                                                      const float *restrict from, int64_t from_stride,
                                                                      float *restrict to, int64_t to_stride,
                                                                      int64_t rows) {
    for (int64_t r = 0; r < rows; r++) {
        const float *source = from + r * from_stride;
        float *target = to + r * to_stride;
        SNN_UNROLL for (int v = 0; v < V; v++) vf_store(target + v * VF_LANES, vf_load(source + v * VF_LANES));
        source += V * VF_LANES;
        target += V * VF_LANES;
        SNN_UNROLL for (int half = 8; half >= 1; half /= 2) {
            if (half < VF_LANES && (part & half)) {
                memcpy(target, source, (size_t)half * sizeof(float));
                source += half;
                target += half;
            }
        }
    }
}

/* to (rows, to_stride) = from (rows, from_stride), columns floats of each row. */
static void SNN_NAME(copy)(const float *restrict from, int64_t from_stride, float *restrict to, int64_t to_stride,
                           int64_t rows, int64_t columns) {
    const int64_t vectors = columns / VF_LANES, part = columns % VF_LANES;
    if (vectors == 0) SNN_NAME(copy_rows)(0, part, from, from_stride, to, to_stride, rows);
    else if (vectors == 1) SNN_NAME(copy_rows)(1, part, from, from_stride, to, to_stride, rows);
    else if (vectors == 2) SNN_NAME(copy_rows)(2, part, from, from_stride, to, to_stride, rows);
    else if (vectors == 3) SNN_NAME(copy_rows)(3, part, from, from_stride, to, to_stride, rows);
    else if (columns == 4 * VF_LANES) SNN_NAME(copy_rows)(4, 0, from, from_stride, to, to_stride, rows);
    else
        for (int64_t r = 0; r < rows; r++)
            memcpy(to + r * to_stride, from + r * from_stride, (size_t)columns * sizeof(float));
}
