/* to (columns, to_stride) = from (rows, from_stride) transposed: snn_isa.transpose. Squares of VF_LANES are turned in
 * registers; at the edges they are filled up with zeros. NaNs are looked for on the way, which is nearly free. */

/* rows, columns: what there is of a square, at most VF_LANES each; height: the floats of a row of to. */
static inline __attribute__((always_inline)) vn SNN_NAME(transpose_square)(vn found, const float *restrict from,
                                                                           int64_t from_stride, float *restrict to,
                                                                           int64_t to_stride, int64_t rows,
                                                                           int64_t columns, int64_t height) {
    vf square[VF_LANES];
    SNN_UNROLL for (int i = 0; i < VF_LANES; i++) {
        square[i] = vf_zero();
        if (i >= rows) continue;
        square[i] = columns == VF_LANES ? vf_load(from) : vf_load_part(from, (int)columns);
        from += from_stride;
    }
    SNN_UNROLL for (int i = 0; i < VF_LANES; i += 2) found = vn_note(found, square[i], square[i + (VF_LANES > 1)]);
    vf_transpose(square);
    SNN_UNROLL for (int i = 0; i < VF_LANES; i++) {
        if (i >= columns) continue;
        if (height == VF_LANES) vf_store(to, square[i]);
        else vf_store_part(to, square[i], (int)height);
        to += to_stride;
    }
    return found;
}

/* Squares are taken along the longer side: the long rows then are few streams, which the hardware prefetches. */
static int SNN_NAME(transpose)(const float *restrict from, int64_t from_stride, float *restrict to,
                               int64_t to_stride, int64_t rows, int64_t columns, int64_t height) {
    vn found = vn_none();
    const int64_t down = (height + VF_LANES - 1) / VF_LANES, across = (columns + VF_LANES - 1) / VF_LANES;
    for (int64_t r = 0, c = 0, squares = down * across; squares > 0; squares--) {
        const int64_t left_rows = rows - r < VF_LANES ? rows - r : VF_LANES;
        const int64_t left_columns = columns - c < VF_LANES ? columns - c : VF_LANES;
        const int64_t left_height = height - r < VF_LANES ? height - r : VF_LANES;
        const float *source = from + r * from_stride + c;
        float *target = to + c * to_stride + r;
        if (left_rows == VF_LANES && left_columns == VF_LANES)
            found = SNN_NAME(transpose_square)(found, source, from_stride, target, to_stride, VF_LANES, VF_LANES,
                                               VF_LANES);
        else
            found = SNN_NAME(transpose_square)(found, source, from_stride, target, to_stride, left_rows,
                                               left_columns, left_height);
        if (across > down) {
            c += VF_LANES;
            if (c >= columns) c = 0, r += VF_LANES;
        } else {
            r += VF_LANES;
            if (r >= height) r = 0, c += VF_LANES;
        }
    }
    return vn_any(found);
}
