/* Dense products of training: snn_isa.dense_sum and .outer.
 *
 * Both hold R rows by V vectors of sums in registers, and spread a weight or slope by a broadcast from memory: 12 sums
 * and three more vectors fill 16 registers, and hide the latency of a multiply-add, which eight sums just do not.
 * Hot: nearly all of a dense training step are the two inner loops. */
#define SNN_SUM_VECTORS (VF_REGISTERS >= 32 ? 4 : 2)

static void SNN_NAME(dense_sum)(const float *restrict weights, int64_t panel_stride, const float *restrict x,
                                int64_t count, const float *bias, float *restrict y, int64_t rows) {
    enum { R = SNN_TRAIN_ROWS, V = SNN_SUM_VECTORS, NB = 4 * VF_LANES };
    for (int64_t r0 = 0; r0 < rows; r0 += R, weights += panel_stride) {
        const int64_t in_panel = rows - r0 < R ? rows - r0 : R;
        for (int v0 = 0; v0 < 4; v0 += V) {
            vf acc[R][V];
            SNN_UNROLL for (int r = 0; r < R; r++) {
                const int64_t row = r0 + (r < in_panel ? r : 0);
                SNN_EACH(v, V) acc[r][v] = bias ? vf_set1(bias[row]) : vf_load(y + row * NB + (v0 + v) * VF_LANES);
            }
            const float *w = weights, *xk = x + v0 * VF_LANES;
            for (int64_t k = 0; k < count; k++, w += R, xk += NB) {
                vf xv[V];
                SNN_EACH(v, V) xv[v] = vf_load(xk + v * VF_LANES);
                SNN_UNROLL for (int r = 0; r < R; r++) {
                    const vf one = vf_set1(w[r]);
                    SNN_EACH(v, V) acc[r][v] = vf_fma(one, xv[v], acc[r][v]);
                }
            }
            SNN_UNROLL for (int r = 0; r < R; r++) {
                if (r >= in_panel) continue;
                SNN_EACH(v, V) vf_store(y + (r0 + r) * NB + (v0 + v) * VF_LANES, acc[r][v]);
            }
        }
    }
}

static void SNN_NAME(outer)(const snn_outer *o, const float *dy, const float *x, float *restrict gradient) {
    enum { R = SNN_TRAIN_ROWS, V = 2 };
    vf acc[R][V];
    SNN_UNROLL for (int r = 0; r < R; r++) SNN_EACH(v, V) acc[r][v] = vf_zero();
    for (int64_t sample = 0; sample < o->samples; sample++, dy += o->dy_sample, x += o->x_sample) {
        const float *restrict slope = dy, *line = x;
        for (int64_t row = 0; row < o->rows; row++, line += o->x_row) {
            const float *restrict at = line;
            for (int64_t column = 0; column < o->columns; column++, slope += R, at += o->x_step) {
                const vf x0 = vf_load(at), x1 = vf_load(at + VF_LANES);
                SNN_UNROLL for (int r = 0; r < R; r++) {
                    const vf one = vf_set1(slope[r]);
                    acc[r][0] = vf_fma(one, x0, acc[r][0]);
                    acc[r][1] = vf_fma(one, x1, acc[r][1]);
                }
            }
        }
    }
    SNN_UNROLL for (int r = 0; r < R; r++) SNN_EACH(v, V) {
        float *to = gradient + (r * V + v) * VF_LANES;
        vf_store(to, vf_add(vf_load(to), acc[r][v]));
    }
}
