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

/* Rows in groups that differ by one at most: a small group would wait for each of its sums. */
static inline __attribute__((always_inline)) void SNN_NAME(product_panel)(const int V, const int side,
                                                                          const snn_panel_product *p) {
    const int64_t row = side ? 1 : p->a_row, groups = (p->rows + SNN_PRODUCT_ROWS - 1) / SNN_PRODUCT_ROWS;
    for (int64_t g = 0; g < groups; g++) {
        const int64_t first = p->rows * g / groups, count = p->rows * (g + 1) / groups - first;
        const float *a = p->a + first * row;
        float *y = p->y + first * p->y_row;
        switch (count) {
#define SNN_PRODUCT_CASE(R) case R: SNN_NAME(product_rows)(R, V, side, p, a, y); break;
            SNN_PRODUCT_CASE(1)
            SNN_PRODUCT_CASE(2)
            SNN_PRODUCT_CASE(3)
            SNN_PRODUCT_CASE(4)
            SNN_PRODUCT_CASE(5)
            SNN_PRODUCT_CASE(6)
#if VF_REGISTERS >= 32
            SNN_PRODUCT_CASE(7)
            SNN_PRODUCT_CASE(8)
            SNN_PRODUCT_CASE(9)
            SNN_PRODUCT_CASE(10)
            SNN_PRODUCT_CASE(11)
            SNN_PRODUCT_CASE(12)
#endif
#undef SNN_PRODUCT_CASE
        }
    }
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
