/* Dense products of activations: snn_isa.product. R rows by two vectors of sums stay in registers; a value of a is
 * spread by a broadcast from memory, from wherever it lies, and b is a panel.
 * Hot: the inner loop is nearly all of a matmul, and most of attention. */
#define SNN_PRODUCT_ROWS (VF_REGISTERS >= 32 ? 12 : 6)

/* R rows; side: the rows of a lie side by side; V: vectors of the panel that count. */
static inline __attribute__((always_inline)) void SNN_NAME(product_rows)(const int R, const int V, const int side,
                                                                         const snn_panel_product *p, const float *a,
                                                                         float *restrict y) {
    const int64_t row = side ? 1 : p->a_row, step = p->a_step;
    const float *restrict b = p->b;
    vf acc[12][2];
    SNN_UNROLL for (int r = 0; r < R; r++)
        SNN_EACH(v, V) acc[r][v] = p->adds ? vf_load(y + r * p->y_row + v * VF_LANES) : vf_zero();
    for (int64_t k = 0; k < p->depth; k++, a += step, b += 2 * VF_LANES) {
        vf bv[2];
        SNN_EACH(v, V) bv[v] = vf_load(b + v * VF_LANES);
        SNN_UNROLL for (int r = 0; r < R; r++) {
            const vf one = vf_set1(a[r * row]);
            SNN_EACH(v, V) acc[r][v] = vf_fma(one, bv[v], acc[r][v]);
        }
    }
    SNN_UNROLL for (int r = 0; r < R; r++)
        SNN_EACH(v, V) vf_store(y + r * p->y_row + v * VF_LANES, acc[r][v]);
}

static inline __attribute__((always_inline)) void SNN_NAME(product_panel)(const int V, const int side,
                                                                          const snn_panel_product *p) {
    const int64_t row = side ? 1 : p->a_row;
    int64_t r = 0;
    for (; r + SNN_PRODUCT_ROWS <= p->rows; r += SNN_PRODUCT_ROWS)
        SNN_NAME(product_rows)(SNN_PRODUCT_ROWS, V, side, p, p->a + r * row, p->y + r * p->y_row);
    for (; SNN_PRODUCT_ROWS > 6 && r + 6 <= p->rows; r += 6)
        SNN_NAME(product_rows)(6, V, side, p, p->a + r * row, p->y + r * p->y_row);
    for (; r + 4 <= p->rows; r += 4)
        SNN_NAME(product_rows)(4, V, side, p, p->a + r * row, p->y + r * p->y_row);
    for (; r + 2 <= p->rows; r += 2)
        SNN_NAME(product_rows)(2, V, side, p, p->a + r * row, p->y + r * p->y_row);
    for (; r < p->rows; r++)
        SNN_NAME(product_rows)(1, V, side, p, p->a + r * row, p->y + r * p->y_row);
}

static void SNN_NAME(product)(const snn_panel_product *given) {
    const snn_panel_product copy = *given, *p = &copy; /* which stores to y cannot change */
    if (p->columns <= VF_LANES) {
        if (p->a_row == 1) SNN_NAME(product_panel)(1, 1, p);
        else SNN_NAME(product_panel)(1, 0, p);
    } else {
        if (p->a_row == 1) SNN_NAME(product_panel)(2, 1, p);
        else SNN_NAME(product_panel)(2, 0, p);
    }
}
