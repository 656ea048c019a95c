/* Sums, means and extremes: snn_isa.reduce. Values are joined in their order, in every layout, so the bits are the
 * same in all of them. A NaN among them is the result. */

/* A NaN stays, whichever comes first. */
static inline vf SNN_NAME(reduce_join)(int op, vf value, vf best, vn *nan) {
    switch (op) {
        case SNN_OP_REDUCE_MAX: *nan = vn_note(*nan, value, best); return vf_max(value, best);
        case SNN_OP_REDUCE_MIN: *nan = vn_note(*nan, value, best); return vf_min(value, best);
        default: return vf_add(best, value);
    }
}

static inline float SNN_NAME(reduce_join_one)(int op, float value, float best) {
    switch (op) {
        case SNN_OP_REDUCE_MAX: return value > best || value != value ? value : best;
        case SNN_OP_REDUCE_MIN: return value < best || value != value ? value : best;
        default: return best + value;
    }
}

/* One column of count values, stride apart. */
static float SNN_NAME(reduce_one)(int op, const float *x, int64_t count, int64_t stride) {
    float best = x[0];
    for (int64_t k = 1; k < count; k++) best = SNN_NAME(reduce_join_one)(op, x[k * stride], best);
    return op == SNN_OP_REDUCE_MEAN ? best / (float)count : best;
}

/* y (columns) of x (count, stride): columns next to each other are the vector axis. */
static void SNN_NAME(reduce)(int op, const float *x, float *y, int64_t count, int64_t stride, int64_t columns) {
    for (int64_t c = 0; c < columns; c += VF_LANES) {
        const int left = columns - c < VF_LANES ? (int)(columns - c) : VF_LANES;
        vn nan = vn_none();
        vf best = SNN_NAME(load_lanes)(x + c, left);
        for (int64_t k = 1; k < count; k++)
            best = SNN_NAME(reduce_join)(op, SNN_NAME(load_lanes)(x + k * stride + c, left), best, &nan);
        if (op == SNN_OP_REDUCE_MEAN) best = vf_div(best, vf_set1((float)count));
        SNN_NAME(store_lanes)(y + c, best, left);
        for (int l = 0; l < left && vn_any(nan); l++) y[c + l] = SNN_NAME(reduce_one)(op, x + c + l, count, stride);
    }
}

/* y (rows) of x (rows, count): eight rows at a time, since a row alone waits for each of its joins. */
static void SNN_NAME(reduce_rows)(int op, const float *x, float *y, int64_t rows, int64_t count) {
    int64_t r = 0;
    for (; r + 8 <= rows; r += 8, x += 8 * count) {
        float best[8];
        SNN_UNROLL for (int i = 0; i < 8; i++) best[i] = x[i * count];
        for (int64_t k = 1; k < count; k++)
            SNN_UNROLL for (int i = 0; i < 8; i++)
                best[i] = SNN_NAME(reduce_join_one)(op, x[i * count + k], best[i]);
        for (int i = 0; i < 8; i++) y[r + i] = op == SNN_OP_REDUCE_MEAN ? best[i] / (float)count : best[i];
    }
    for (; r < rows; r++, x += count) y[r] = SNN_NAME(reduce_one)(op, x, count, 1);
}
