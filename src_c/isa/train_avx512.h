/* Words of the training kernels, for AVX-512; train_scalar.h describes them for all ISAs. */
#ifndef SNN_TRAIN_WORDS_H
#define SNN_TRAIN_WORDS_H

static inline vf vf_quad(vf a, vf b, vf c, vf d)
{
    const vf ab = vf_add(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)); // a02 b02 a13 b13
    const vf cd = vf_add(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    return vf_add(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xEE));
}

/* Quarters 0 + 1 and 2 + 3 of both. */
static inline vf vf_halve(vf a, vf b)
{
    return vf_add(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
}

static inline vf vf_join(const vf quads[4])
{
    return vf_halve(vf_halve(quads[0], quads[1]), vf_halve(quads[2], quads[3]));
}

#endif
