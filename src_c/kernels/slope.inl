/* dy[i] *= the activation's derivative: the way back through an activation.
 * y is the activation's output; z, its input, is read for GELU alone. count is a multiple of VF_LANES. */

static inline __attribute__((always_inline)) vf vf_slope(const snn_node_type activation, const vf dy, const vf y,
                                                         const float *z, const snn_epilogue *e) {
    const vf zero = vf_zero(), one = vf_set1(1.0f);
    switch (activation) {
        case SNN_NODE_RELU: return vf_select_lt(zero, y, dy, zero);
        case SNN_NODE_CLIP:
            return vf_select_lt(vf_set1(e->low), y, vf_select_lt(y, vf_set1(e->high), dy, zero), zero);
        case SNN_NODE_TANH: return vf_mul(dy, vf_sub(one, vf_mul(y, y)));
        case SNN_NODE_SIGMOID: return vf_mul(dy, vf_mul(y, vf_sub(one, y)));
        case SNN_NODE_ELU:  // alpha e^z = y + alpha below 0
            return vf_select_lt(zero, y, dy, vf_mul(dy, vf_add(y, vf_set1(e->low))));
        case SNN_NODE_GELU: {  // Phi(z) + z phi(z), where Phi(z) = y / z
            const vf at = vf_load(z);
            const vf upper = vf_select_lt(vf_abs(at), vf_set1(1e-20f), vf_set1(0.5f), vf_div(y, at));
            const vf density = vf_mul(vf_exp(vf_mul(vf_mul(at, at), vf_set1(-0.5f))), vf_set1(0.39894228f));
            return vf_mul(dy, vf_fma(at, density, upper));
        }
        default: return dy;
    }
}

static void SNN_NAME(slope)(const float *restrict y, const float *restrict z, float *restrict dy, int64_t count,
                            const snn_epilogue *e) {
    switch (e->activation) {
#define SNN_SLOPE(type)                                                                          \
    case type:                                                                                   \
        for (int64_t i = 0; i < count; i += VF_LANES)                                            \
            vf_store(dy + i, vf_slope(type, vf_load(dy + i), vf_load(y + i), z ? z + i : z, e)); \
        break;
        SNN_SLOPE(SNN_NODE_RELU)
        SNN_SLOPE(SNN_NODE_CLIP)
        SNN_SLOPE(SNN_NODE_TANH)
        SNN_SLOPE(SNN_NODE_SIGMOID)
        SNN_SLOPE(SNN_NODE_ELU)
        SNN_SLOPE(SNN_NODE_GELU)
        default: break;
#undef SNN_SLOPE
    }
}
