/* Fetching floats from anywhere, for AVX2 and AVX-512. By loads: the gather instruction takes 1.7 times as
 * long on Zen 3, and is slow by their microcode on others. */
#ifndef SNN_GATHER_X86_H
#define SNN_GATHER_X86_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

/* base[idx[0..3]]. One load for four indices: the loads of floats are what there is too many of. */
static inline __m128 snn_gather_four(const float *base, const uint16_t *idx)
{
    uint64_t four;
    memcpy(&four, idx, sizeof four);
    __m128 lanes = _mm_load_ss(base + (four & 65535));
    lanes = _mm_insert_ps(lanes, _mm_load_ss(base + (four >> 16 & 65535)), 0x10);
    lanes = _mm_insert_ps(lanes, _mm_load_ss(base + (four >> 32 & 65535)), 0x20);
    return _mm_insert_ps(lanes, _mm_load_ss(base + (four >> 48)), 0x30);
}

static inline __m256 snn_gather_eight(const float *base, const uint16_t *idx)
{
    return _mm256_set_m128(snn_gather_four(base, idx + 4), snn_gather_four(base, idx));
}

#endif
