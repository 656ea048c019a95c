/* to (columns, to_stride) = from (rows, from_stride) transposed: snn_isa.transpose. */

/* from (rows, C) without gaps, C <= 4, to (C, to_stride): VF_LANES rows are C registers to look values up in. */
static inline __attribute__((always_inline)) void SNN_NAME(transpose_tall)(const int C, const float *restrict from,
                                                                           float *restrict to, int64_t to_stride,
                                                                           int64_t rows) {
    uint8_t places[4][VF_LANES];
    for (int c = 0; c < C; c++)
        for (int i = 0; i < VF_LANES; i++) places[c][i] = (uint8_t)(i * C + c);
    int64_t r = 0;
    for (; r + VF_LANES <= rows; r += VF_LANES) {
        vf block[VF_BLOCK / VF_LANES];
        SNN_UNROLL for (int v = 0; v < VF_BLOCK / VF_LANES; v++) block[v] =
            v < C ? vf_load(from + r * C + v * VF_LANES) : vf_zero();
        SNN_UNROLL for (int c = 0; c < C; c++)
            vf_store(to + c * to_stride + r, vf_lookup_block(block, vi_load_u8(places[c])));
    }
    for (; r < rows; r++)
        for (int c = 0; c < C; c++) to[c * to_stride + r] = from[r * C + c];
}

/* The other way: from (R, from_stride), R <= 4, to (columns, R) without gaps. */
static inline __attribute__((always_inline)) void SNN_NAME(transpose_flat)(const int R, const float *restrict from,
                                                                           int64_t from_stride, float *restrict to,
                                                                           int64_t columns) {
    uint8_t places[4][VF_LANES];
    for (int v = 0; v < R; v++)
        for (int i = 0; i < VF_LANES; i++)
            places[v][i] = (uint8_t)((v * VF_LANES + i) % R * VF_LANES + (v * VF_LANES + i) / R);
    int64_t c = 0;
    for (; c + VF_LANES <= columns; c += VF_LANES) {
        vf block[VF_BLOCK / VF_LANES];
        SNN_UNROLL for (int r = 0; r < VF_BLOCK / VF_LANES; r++) block[r] =
            r < R ? vf_load(from + r * from_stride + c) : vf_zero();
        SNN_UNROLL for (int v = 0; v < R; v++)
            vf_store(to + c * R + v * VF_LANES, vf_lookup_block(block, vi_load_u8(places[v])));
    }
    for (; c < columns; c++)
        for (int r = 0; r < R; r++) to[c * R + r] = from[r * from_stride + c];
}

/* to (columns, to_stride) = from (rows, from_stride) transposed; blocks of VF_LANES squared in registers. */
static void SNN_NAME(transpose_squares)(const float *restrict from, int64_t from_stride, float *restrict to,
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

static void SNN_NAME(transpose)(const float *restrict from, int64_t from_stride, float *restrict to,
                                int64_t to_stride, int64_t rows, int64_t columns) {
    if (columns == 2 && from_stride == 2) SNN_NAME(transpose_tall)(2, from, to, to_stride, rows);
    else if (columns == 3 && from_stride == 3) SNN_NAME(transpose_tall)(3, from, to, to_stride, rows);
    else if (columns == 4 && from_stride == 4) SNN_NAME(transpose_tall)(4, from, to, to_stride, rows);
    else if (rows == 2 && to_stride == 2) SNN_NAME(transpose_flat)(2, from, from_stride, to, columns);
    else if (rows == 3 && to_stride == 3) SNN_NAME(transpose_flat)(3, from, from_stride, to, columns);
    else if (rows == 4 && to_stride == 4) SNN_NAME(transpose_flat)(4, from, from_stride, to, columns);
    else SNN_NAME(transpose_squares)(from, from_stride, to, to_stride, rows, columns);
}
