/* Attention in training. A vector of samples stands at each place, so all goes along the samples: a product of two
 * values is one of vectors by vectors, and nothing is added up across one. */
#define SNN_LANE_ROWS (VF_REGISTERS >= 32 ? 6 : 4)
#define SNN_LANE_COLUMNS (VF_REGISTERS >= 32 ? 4 : 3)

/* R rows by C columns of sums in registers. Each is added up in the order of depth, whatever R and C are. */
static inline __attribute__((always_inline)) void SNN_NAME(lane_block)(const int R, const int C, const snn_lane_product *p,
                                                                       const float *a, const float *b,
                                                                       float *restrict y) {
    const int64_t a_row = p->a_row, a_step = p->a_step, b_column = p->b_column, b_step = p->b_step;
    vf acc[6][4];
    SNN_UNROLL for (int r = 0; r < R; r++)
        SNN_EACH(c, C) acc[r][c] = p->adds ? vf_load(y + r * p->y_row + c * p->y_column) : vf_zero();
    for (int64_t k = 0; k < p->depth; k++, a += a_step, b += b_step) {
        vf bv[4];
        SNN_EACH(c, C) bv[c] = vf_load(b + c * b_column);
        SNN_UNROLL for (int r = 0; r < R; r++) {
            const vf one = vf_load(a + r * a_row);
            SNN_EACH(c, C) acc[r][c] = vf_fma(one, bv[c], acc[r][c]);
        }
    }
    SNN_UNROLL for (int r = 0; r < R; r++)
        SNN_EACH(c, C) vf_store(y + r * p->y_row + c * p->y_column, acc[r][c]);
}

static inline __attribute__((always_inline)) void SNN_NAME(lane_rows)(const int R, const snn_lane_product *p, const float *a,
                                                                      float *y) {
    const int64_t groups = (p->columns + SNN_LANE_COLUMNS - 1) / SNN_LANE_COLUMNS;
    for (int64_t g = 0; g < groups; g++) {
        const int64_t first = p->columns * g / groups, count = p->columns * (g + 1) / groups - first;
        const float *b = p->b + first * p->b_column;
        float *at = y + first * p->y_column;
        switch (count) {
        case 1: SNN_NAME(lane_block)(R, 1, p, a, b, at); break;
        case 2: SNN_NAME(lane_block)(R, 2, p, a, b, at); break;
        case 3: SNN_NAME(lane_block)(R, 3, p, a, b, at); break;
#if VF_REGISTERS >= 32
        case 4: SNN_NAME(lane_block)(R, 4, p, a, b, at); break;
#endif
        }
    }
}

static void SNN_NAME(lane_product)(const snn_lane_product *given) {
    const snn_lane_product copy = *given, *p = &copy; /* which stores to y cannot change */
    const int64_t groups = (p->rows + SNN_LANE_ROWS - 1) / SNN_LANE_ROWS;
    for (int64_t g = 0; g < groups; g++) {
        const int64_t first = p->rows * g / groups, count = p->rows * (g + 1) / groups - first;
        const float *a = p->a + first * p->a_row;
        float *y = p->y + first * p->y_row;
        switch (count) {
        case 1: SNN_NAME(lane_rows)(1, p, a, y); break;
        case 2: SNN_NAME(lane_rows)(2, p, a, y); break;
        case 3: SNN_NAME(lane_rows)(3, p, a, y); break;
        case 4: SNN_NAME(lane_rows)(4, p, a, y); break;
#if VF_REGISTERS >= 32
        case 5: SNN_NAME(lane_rows)(5, p, a, y); break;
        case 6: SNN_NAME(lane_rows)(6, p, a, y); break;
#endif
        }
    }
}

/* Scores of a query (keys, lanes) -> its weights. known: top and inverse are those of the pass forward. */
static void SNN_NAME(attend)(const snn_query *q, int known) {
    float *const at = q->scores;
    vf top = known ? vf_load(q->top) : vf_set1(-FLT_MAX), total = vf_zero(); /* of none it is 0, the weights NaN */
    if (q->mask)
        for (int64_t k = 0; k < q->keys; k++) {
            const float *mask = q->mask + k * q->mask_step;
            const vf added = q->mask_one ? vf_set1(*mask) : vf_load(mask);
            vf_store(at + k * VF_LANES, vf_add(vf_load(at + k * VF_LANES), added));
        }
    if (!known) {
        for (int64_t k = 0; k < q->keys; k++) top = vf_max(vf_load(at + k * VF_LANES), top);
        vf_store(q->top, top);
    }
    for (int64_t k = 0; k < q->keys; k++) {
        const vf power = vf_exp_below(vf_sub(vf_load(at + k * VF_LANES), top));
        vf_store(at + k * VF_LANES, power);
        total = vf_add(total, power);
    }
    if (!known) {
        const vf inverse = vf_div(vf_set1(1.0f), total);
        vf_store(q->inverse, q->zeros ? vf_select_lt(vf_zero(), total, inverse, total) : inverse);
    }
    const vf inverse = vf_load(q->inverse);
    for (int64_t k = 0; k < q->keys; k++) vf_store(at + k * VF_LANES, vf_mul(vf_load(at + k * VF_LANES), inverse));
}

/* Slopes of the weights of a query (keys, lanes) -> those of its scores. */
static void SNN_NAME(attend_back)(const float *restrict weights, float *restrict slopes, int64_t keys) {
    vf along = vf_zero();
    for (int64_t k = 0; k < keys; k++)
        along = vf_fma(vf_load(weights + k * VF_LANES), vf_load(slopes + k * VF_LANES), along);
    for (int64_t k = 0; k < keys; k++) {
        const vf off = vf_sub(vf_load(slopes + k * VF_LANES), along);
        vf_store(slopes + k * VF_LANES, vf_mul(vf_load(weights + k * VF_LANES), off));
    }
}
