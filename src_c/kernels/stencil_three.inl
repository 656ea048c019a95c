/* Depthwise convolutions with a window of 3 x 3 (kernel.h), x read where it lies: a row of x is loaded once for
 * the R rows of positions that it is in the windows of. The weights stay in registers.
 * What vectors at either end of a row read beyond x is cut out by vf_and. */

/* What the three columns of the window hold in a line; cut: whether some of it is not x. */
static inline __attribute__((always_inline)) void SNN_NAME(stencil_line)(const int S, const int cut,
                                                                         const float *line, const vf mask[3],
                                                                         vf held[3]) {
    if (S == 1) {
        SNN_EACH(k, 3) held[k] = vf_load(line + k);
    } else {
        const vf a = vf_load(line), b = vf_load(line + VF_LANES);
        held[0] = vf_evens(a, b);
        held[1] = vf_odds(a, b);
        held[2] = vf_evens(vf_load(line + 2), vf_load(line + 2 + VF_LANES));
    }
    if (cut) SNN_EACH(k, 3) held[k] = vf_and(held[k], mask[k]);
}

/* One vector of R rows. */
static inline __attribute__((always_inline)) void SNN_NAME(stencil_three_part)(
    const int S, const int R, const int cut, const snn_stencil *s, const snn_epilogue *e, const vf weight[9],
    const vf mask[3], int64_t row, int64_t column) {
    vf acc[4], held[3];
    SNN_EACH(r, R) acc[r] = vf_set1(s->bias);
    SNN_UNROLL for (int i = 0; i < 9; i++) {
        if (i >= S * (R - 1) + 3) continue;
        SNN_NAME(stencil_line)(S, cut, s->lines[S * row + i] + S * column, mask, held);
        SNN_EACH(r, R) {
            if (i < S * r || i >= S * r + 3) continue;
            SNN_EACH(k, 3) acc[r] = vf_fma(weight[3 * (i - S * r) + k], held[k], acc[r]);
        }
    }
    SNN_EACH(r, R) SNN_NAME(stencil_store)(s, e, row + r, column, S == 1 ? acc[r] : vf_in_order(acc[r]));
}

static inline __attribute__((always_inline)) void SNN_NAME(stencil_three_rows)(
    const int S, const int R, const snn_stencil *s, const snn_epilogue *e, const vf weight[9],
    const vf masks[2][3], int64_t row) {
    SNN_NAME(stencil_three_part)(S, R, 1, s, e, weight, masks[0], row, 0);
    int64_t column = VF_LANES;
    for (; column + VF_LANES < s->columns; column += VF_LANES)
        SNN_NAME(stencil_three_part)(S, R, 0, s, e, weight, masks[0], row, column);
    if (column < s->columns)
        SNN_NAME(stencil_three_part)(S, R, 1, s, e, weight, masks[1], row, SNN_NAME(stencil_column)(s, column));
}

static inline __attribute__((always_inline)) void SNN_NAME(stencil_three_all)(const int S, const int R,
                                                                              const snn_stencil *stencil,
                                                                              const snn_epilogue *epilogue) {
    const snn_stencil copy = *stencil, *s = &copy;  // stores to y change nothing of it
    const snn_epilogue end_copy = *epilogue, *e = &end_copy;
    vf weight[9], masks[2][3];
    SNN_UNROLL for (int i = 0; i < 9; i++) weight[i] = vf_set1(s->weights[i]);
    SNN_EACH(end, 2) SNN_NAME(stencil_line)(S, 0, s->valid + end * 3 * VF_LANES, NULL, masks[end]);
    if (s->rows < R) {
        for (int64_t row = 0; row < s->rows; row++) SNN_NAME(stencil_three_rows)(S, 1, s, e, weight, masks, row);
    } else {
        for (int64_t row = 0; row < s->rows; row += R)
            SNN_NAME(stencil_three_rows)(S, R, s, e, weight, masks, row + R <= s->rows ? row : s->rows - R);
    }
    SNN_NAME(stencil_end)(stencil, epilogue);
}

/* snn_isa.stencil_three. Four rows with a stride of 2 would need more registers than there are. */
static void SNN_NAME(stencil_three)(const snn_stencil *s, int stride, const snn_epilogue *e) {
    if (stride == 1) SNN_NAME(stencil_three_all)(1, 4, s, e);
    else SNN_NAME(stencil_three_all)(2, 2, s, e);
}
