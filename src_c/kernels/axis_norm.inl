/* Layer and root-mean-square normalisation along an axis: snn_isa.axis_norm. Each column is added up in its order,
 * whatever the layout, so the bits are the same in all of them. Two passes: first the mean, then what is off it. */

/* V vectors of columns next to each other, the last of lanes columns; rows lie stride apart. */
static inline __attribute__((always_inline)) void SNN_NAME(norm_columns)(const int V, const int lanes,
                                                                         const snn_axis_norm *n, const float *x,
                                                                         float *y, int64_t stride) {
#define SNN_NORM_LOAD(k, v)                                                           \
    (V == 1 ? SNN_NAME(load_lanes)(x + (k) * stride, lanes) : vf_load(x + (k) * stride + (v) * VF_LANES))
    const vf count = vf_set1((float)n->count);
    vf mean[4], size[4];
    SNN_EACH(v, V) mean[v] = size[v] = vf_zero();
    if (n->shift) {
        for (int64_t k = 0; k < n->count; k++) SNN_EACH(v, V) mean[v] = vf_add(mean[v], SNN_NORM_LOAD(k, v));
        SNN_EACH(v, V) mean[v] = vf_div(mean[v], count);
    }
    for (int64_t k = 0; k < n->count; k++) SNN_EACH(v, V) {
        const vf off = vf_sub(SNN_NORM_LOAD(k, v), mean[v]);
        size[v] = vf_add(size[v], vf_mul(off, off));
    }
    SNN_EACH(v, V)
        size[v] = vf_div(vf_set1(1.0f), vf_sqrt(vf_add(vf_div(size[v], count), vf_set1(n->epsilon))));
    for (int64_t k = 0; k < n->count; k++) {
        const vf scale = vf_set1(n->scale[k]), shift = vf_set1(n->shift ? n->shift[k] : 0.0f);
        SNN_EACH(v, V) {
            const vf off = vf_mul(vf_sub(SNN_NORM_LOAD(k, v), mean[v]), size[v]);
            const vf made = vf_add(vf_mul(off, scale), shift);
            if (V == 1) SNN_NAME(store_lanes)(y + k * stride, made, lanes);
            else vf_store(y + k * stride + v * VF_LANES, made);
        }
    }
#undef SNN_NORM_LOAD
}

/* y of x (count, stride), columns of them. */
static void SNN_NAME(axis_norm)(const snn_axis_norm *n, const float *x, float *y, int64_t columns, int64_t stride) {
    int64_t c = 0;
    for (; c + 4 * VF_LANES <= columns; c += 4 * VF_LANES)
        SNN_NAME(norm_columns)(4, VF_LANES, n, x + c, y + c, stride);
    for (; c < columns; c += VF_LANES) {
        const int left = columns - c < VF_LANES ? (int)(columns - c) : VF_LANES;
        SNN_NAME(norm_columns)(1, left, n, x + c, y + c, stride);
    }
}

/* Places [k, k + VF_LANES) of up to VF_LANES rows, turned: square[i] holds place k + i of every row. */
static inline __attribute__((always_inline)) void SNN_NAME(norm_square)(const float *x, int64_t stride, int rows,
                                                                        int places, vf square[VF_LANES]) {
    SNN_UNROLL for (int i = 0; i < VF_LANES; i++)
        square[i] = i < rows ? SNN_NAME(load_lanes)(x + i * stride, places) : vf_zero();
    vf_transpose(square);
}

/* Adds up the places of so many rows, or the squares of what is off the mean. */
static inline __attribute__((always_inline)) vf SNN_NAME(norm_sum)(const int squares, const snn_axis_norm *n,
                                                                   const float *x, int rows, vf mean) {
    vf sum = vf_zero(), square[VF_LANES];
    for (int64_t k = 0; k < n->count; k += VF_LANES) {
        const int places = n->count - k < VF_LANES ? (int)(n->count - k) : VF_LANES;
        SNN_NAME(norm_square)(x + k, n->count, rows, places, square);
        SNN_UNROLL for (int i = 0; i < VF_LANES; i++) {
            if (i >= places) continue;
            const vf off = vf_sub(square[i], mean);
            sum = vf_add(sum, squares ? vf_mul(off, off) : square[i]);
        }
    }
    return sum;
}

/* y (rows, count) of x likewise, up to VF_LANES rows. */
static void SNN_NAME(norm_rows)(const snn_axis_norm *n, const float *x, float *y, int rows) {
    const vf count = vf_set1((float)n->count);
    const vf mean = n->shift ? vf_div(SNN_NAME(norm_sum)(0, n, x, rows, vf_zero()), count) : vf_zero();
    const vf size = vf_add(vf_div(SNN_NAME(norm_sum)(1, n, x, rows, mean), count), vf_set1(n->epsilon));
    float means[VF_LANES], factors[VF_LANES];
    vf_store(means, mean);
    vf_store(factors, vf_div(vf_set1(1.0f), vf_sqrt(size)));
    for (int r = 0; r < rows; r++)
        for (int64_t k = 0; k < n->count; k += VF_LANES) {
            const int places = n->count - k < VF_LANES ? (int)(n->count - k) : VF_LANES;
            const vf at = SNN_NAME(load_lanes)(x + r * n->count + k, places);
            const vf off = vf_mul(vf_sub(at, vf_set1(means[r])), vf_set1(factors[r]));
            const vf shift = n->shift ? SNN_NAME(load_lanes)(n->shift + k, places) : vf_zero();
            const vf made = vf_add(vf_mul(off, SNN_NAME(load_lanes)(n->scale + k, places)), shift);
            SNN_NAME(store_lanes)(y + r * n->count + k, made, places);
        }
}

static void SNN_NAME(axis_norm_rows)(const snn_axis_norm *n, const float *x, float *y, int64_t rows) {
    for (int64_t r = 0; r < rows; r += VF_LANES)
        SNN_NAME(norm_rows)(n, x + r * n->count, y + r * n->count, rows - r < VF_LANES ? (int)(rows - r) : VF_LANES);
}
