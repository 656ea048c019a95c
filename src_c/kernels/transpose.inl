/* to (columns, to_stride) = from (rows, from_stride) transposed; blocks of VF_LANES squared in registers. */
static void SNN_NAME(transpose)(const float *restrict from, int64_t from_stride, float *restrict to,
                                int64_t to_stride, int64_t rows, int64_t columns) {
    const int64_t whole_rows = rows - rows % VF_LANES, whole_columns = columns - columns % VF_LANES;
    for (int64_t c = 0; c < whole_columns; c += VF_LANES) {
        for (int64_t r = 0; r < whole_rows; r += VF_LANES) {
            vf square[VF_LANES];
            SNN_UNROLL for (int i = 0; i < VF_LANES; i++) square[i] = vf_load(from + (r + i) * from_stride + c);
            vf_transpose(square);
            SNN_UNROLL for (int i = 0; i < VF_LANES; i++) vf_store(to + (c + i) * to_stride + r, square[i]);
        }
        for (int64_t r = whole_rows; r < rows; r++)
            for (int i = 0; i < VF_LANES; i++) to[(c + i) * to_stride + r] = from[r * from_stride + c + i];
    }
    for (int64_t c = whole_columns; c < columns; c++)
        for (int64_t r = 0; r < rows; r++) to[c * to_stride + r] = from[r * from_stride + c];
}
