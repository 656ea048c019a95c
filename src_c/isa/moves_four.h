/* Words that move data, for the ISAs of four lanes; moves_scalar.h describes them. */
#ifndef SNN_MOVES_FOUR_H
#define SNN_MOVES_FOUR_H

static inline vf vf_load_part(const float *p, int n)
{
    float four[4] = {0};
    for (int i = 0; i < n; i++)
        four[i] = p[i];
    return vf_load(four);
}

static inline void vf_store_part(float *p, vf v, int n)
{
    float four[4];
    vf_store(four, v);
    for (int i = 0; i < n; i++)
        p[i] = four[i];
}

#endif
