/* The way back through layer and root-mean-square normalisation, on tiles: snn_isa.axis_norm_back. */

/* V vectors of columns next to each other; of g = scale dy and y = (x - mean) / size: (g - mean g - y mean g y) / size */
static inline __attribute__((always_inline)) void SNN_NAME(norm_back)(const int V, const snn_axis_norm *n, const float *x,
                                                                      const float *dy, float *dx, int64_t stride,
                                                                      float *dscale, float *dshift) {
    const vf count = vf_set1((float)n->count);
    vf mean[4], size[4], along[4], all[4];
    SNN_EACH(v, V) mean[v] = size[v] = along[v] = all[v] = vf_zero();
    if (n->shift) {
        for (int64_t k = 0; k < n->count; k++)
            SNN_EACH(v, V) mean[v] = vf_add(mean[v], vf_load(x + k * stride + v * VF_LANES));
        SNN_EACH(v, V) mean[v] = vf_div(mean[v], count);
    }
    for (int64_t k = 0; k < n->count; k++) SNN_EACH(v, V) {
        const vf off = vf_sub(vf_load(x + k * stride + v * VF_LANES), mean[v]);
        size[v] = vf_add(size[v], vf_mul(off, off));
    }
    SNN_EACH(v, V)
        size[v] = vf_div(vf_set1(1.0f), vf_sqrt(vf_add(vf_div(size[v], count), vf_set1(n->epsilon))));
    for (int64_t k = 0; k < n->count; k++) {
        const vf scale = vf_set1(n->scale[k]);
        vf of_scale = vf_load(dscale + k * VF_LANES), of_shift = vf_load(dshift + k * VF_LANES);
        SNN_EACH(v, V) {
            const vf y = vf_mul(vf_sub(vf_load(x + k * stride + v * VF_LANES), mean[v]), size[v]);
            const vf slope = vf_load(dy + k * stride + v * VF_LANES), g = vf_mul(slope, scale);
            of_scale = vf_fma(slope, y, of_scale);
            of_shift = vf_add(of_shift, slope);
            along[v] = vf_fma(g, y, along[v]);
            all[v] = vf_add(all[v], g);
        }
        vf_store(dscale + k * VF_LANES, of_scale);
        vf_store(dshift + k * VF_LANES, of_shift);
    }
    if (!dx) return;
    SNN_EACH(v, V) {
        along[v] = vf_div(along[v], count);
        all[v] = n->shift ? vf_div(all[v], count) : vf_zero();
    }
    for (int64_t k = 0; k < n->count; k++) {
        const vf scale = vf_set1(n->scale[k]);
        SNN_EACH(v, V) {
            const vf y = vf_mul(vf_sub(vf_load(x + k * stride + v * VF_LANES), mean[v]), size[v]);
            const vf g = vf_mul(vf_load(dy + k * stride + v * VF_LANES), scale);
            const vf rest = vf_sub(vf_sub(g, all[v]), vf_mul(y, along[v]));
            vf_store(dx + k * stride + v * VF_LANES, vf_mul(rest, size[v]));
        }
    }
}

/* columns: a multiple of lanes. dscale and dshift (count, lanes) are added to, in the order of the columns. */
static void SNN_NAME(axis_norm_back)(const snn_axis_norm *n, const float *x, const float *dy, float *dx, int64_t columns,
                                     int64_t stride, float *dscale, float *dshift) {
    int64_t c = 0;
    for (; c + 4 * VF_LANES <= columns; c += 4 * VF_LANES)
        SNN_NAME(norm_back)(4, n, x + c, dy + c, dx ? dx + c : NULL, stride, dscale, dshift);
    for (; c < columns; c += VF_LANES)
        SNN_NAME(norm_back)(1, n, x + c, dy + c, dx ? dx + c : NULL, stride, dscale, dshift);
}
