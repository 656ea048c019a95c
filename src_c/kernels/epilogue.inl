/* Bias and activation on a vector, fused at the end of a row. */

/* The activations that need an exponential; out of line, so that they do not swell every kernel. */
static __attribute__((noinline)) vf SNN_NAME(activate_curve)(vf v, snn_node_type activation, float low) {
    switch (activation) {
        case SNN_NODE_TANH: return vf_tanh(v);
        case SNN_NODE_SIGMOID: return vf_sigmoid(v);
        case SNN_NODE_ELU: return vf_elu(v, vf_set1(low));
        default: return vf_gelu(v);
    }
}

/* The activation of one vector. The branch goes the same way for a whole layer. */
static inline vf vf_activate(vf v, const snn_epilogue *e) {
    switch (e->activation) {
        case SNN_NODE_LINEAR: return v;
        case SNN_NODE_RELU: return vf_max(vf_zero(), v);
        case SNN_NODE_CLIP: return vf_min(vf_set1(e->high), vf_max(vf_set1(e->low), v));
        default: return SNN_NAME(activate_curve)(v, e->activation, e->low);
    }
}

/* y[i] = activation(x[i]). */
static void SNN_NAME(activate)(const float *x, float *y, int64_t count, const snn_epilogue *e) {
    int64_t i = 0;
    for (; i + VF_LANES <= count; i += VF_LANES) vf_store(y + i, vf_activate(vf_load(x + i), e));
    const int left = (int)(count - i);
    if (left) vf_store_part(y + i, vf_activate(vf_load_part(x + i, left), e), left);
}
