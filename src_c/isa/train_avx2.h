/* Words of the training kernels, for AVX2; train_scalar.h describes them for all ISAs. */
#ifndef SNN_TRAIN_WORDS_H
#define SNN_TRAIN_WORDS_H

static inline vf vf_quad(vf a, vf b, vf c, vf d)
{
    const vf ab = vf_add(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)); // a02 b02 a13 b13
    const vf cd = vf_add(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    return vf_add(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xEE));
}

static inline vf vf_join(const vf quads[2])
{
    return vf_add(_mm256_permute2f128_ps(quads[0], quads[1], 0x20),
                  _mm256_permute2f128_ps(quads[0], quads[1], 0x31));
}

#endif
