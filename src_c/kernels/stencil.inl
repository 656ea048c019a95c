/* Depthwise convolutions (kernel.h): the positions of a row are the vector axis, R rows by V vectors of sums in
 * registers. Any window, from a padded copy in L1: a load for each multiply-add. */

/* The sums of one vector -> y. Where a row has fewer positions than a vector has lanes, what is stored beyond it is
 * written over by the rows that follow; at the end of the block nothing is. */
static inline void SNN_NAME(stencil_store)(const snn_stencil *s, const snn_epilogue *e, int64_t row,
                                           int64_t column, vf sum) {
    const int narrow = s->columns < VF_LANES;
    const int64_t at = row * s->stride + column;
    if (s->addend)
        sum = vf_add(sum, narrow ? vf_load_part(s->addend + at, (int)s->columns) : vf_load(s->addend + at));
    sum = vf_activate_short(vf_sum_end(sum), e);
    if (narrow && (s->rows - row) * s->columns < VF_LANES) vf_store_part(s->y + at, sum, (int)s->columns);
    else vf_store(s->y + at, sum);
}

/* An activation that is not short, over what has been stored. */
static inline void SNN_NAME(stencil_end)(const snn_stencil *s, const snn_epilogue *e) {
    if (SNN_NAME(is_short)(e->activation)) return;
    for (int64_t r = 0; r < s->rows; r++)
        SNN_NAME(activate)(s->y + r * s->stride, s->y + r * s->stride, s->columns, e);
}

/* Where the vector of a row lies that would begin at column: the last one ends where the row does. */
static inline int64_t SNN_NAME(stencil_column)(const snn_stencil *s, int64_t column) {
    if (column + VF_LANES <= s->columns) return column;
    return s->columns > VF_LANES ? s->columns - VF_LANES : 0;
}

static inline __attribute__((always_inline)) void SNN_NAME(stencil_part)(const int R, const int V,
                                                                         const snn_stencil *s,
                                                                         const snn_epilogue *e, int64_t row,
                                                                         int64_t column) {
    vf acc[4][4];
    const float *x = s->x + row * s->x_stride + column;
    SNN_EACH(r, R) SNN_EACH(v, V) acc[r][v] = vf_set1(s->bias);
    for (int64_t i = 0; i < s->count; i++) {
        const vf weight = vf_set1(s->weights[i]);
        const float *place = x + s->places[i];
        SNN_EACH(r, R) SNN_EACH(v, V)
            acc[r][v] = vf_fma(weight, vf_load(place + r * s->x_stride + v * VF_LANES), acc[r][v]);
    }
    SNN_EACH(r, R) SNN_EACH(v, V) SNN_NAME(stencil_store)(s, e, row + r, column + v * VF_LANES, acc[r][v]);
}

/* R rows; V: most vectors at once. */
static inline __attribute__((always_inline)) void SNN_NAME(stencil_rows)(const int R, const int V,
                                                                         const snn_stencil *s,
                                                                         const snn_epilogue *e, int64_t row) {
    int64_t column = 0;
    for (; column + V * VF_LANES <= s->columns; column += V * VF_LANES)
        SNN_NAME(stencil_part)(R, V, s, e, row, column);
    for (; column < s->columns; column += VF_LANES)
        SNN_NAME(stencil_part)(R, 1, s, e, row, SNN_NAME(stencil_column)(s, column));
}

/* snn_isa.stencil. The last four rows may take some of those before once more. */
static void SNN_NAME(stencil)(const snn_stencil *stencil, const snn_epilogue *epilogue) {
    const snn_stencil copy = *stencil, *s = &copy;  // stores to y change nothing of it
    const snn_epilogue end_copy = *epilogue, *e = &end_copy;
    for (int64_t row = 0; row < s->rows; row += 4) {
        if (s->rows < 4)
            for (int64_t r = 0; r < s->rows; r++) SNN_NAME(stencil_rows)(1, 4, s, e, r);
        else SNN_NAME(stencil_rows)(4, 2, s, e, row + 4 <= s->rows ? row : s->rows - 4);
    }
    SNN_NAME(stencil_end)(stencil, epilogue);
}
