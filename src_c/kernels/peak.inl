/* Multiply-adds on registers alone: what this core could do if nothing were ever loaded.
 * Returns the number of floating-point operations done; *sink keeps the compiler from leaving them out. */
static double SNN_NAME(peak)(int64_t rounds, float *sink) {
    enum { chains = VF_REGISTERS >= 32 ? 16 : 10 };
    vf acc[chains];
    const vf factor = vf_set1(0.9999f), term = vf_set1(1e-4f);
    SNN_UNROLL for (int c = 0; c < chains; c++) acc[c] = vf_set1((float)c);
    for (int64_t i = 0; i < rounds; i++)
        SNN_UNROLL for (int c = 0; c < chains; c++) acc[c] = vf_fma(acc[c], factor, term);
    vf sum = acc[0];
    SNN_UNROLL for (int c = 1; c < chains; c++) sum = vf_add(sum, acc[c]);
    *sink = vf_sum(sum);
    return 2.0 * (double)rounds * chains * VF_LANES;
}
