/* The vector words for AVX2 with FMA: 8 lanes, 16 registers.
 * Every kernel is written in these words; words_scalar.h describes each word once, for all ISAs. */
#ifndef SNN_WORDS_H
#define SNN_WORDS_H

#include "isa/gather_x86.h"

#include <immintrin.h>
#include <stdint.h>

#define SNN_ISA avx2
#define VF_LANES 8
#define VF_REGISTERS 16
#define VF_BLOCK 32

typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vw;

static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
static inline vf vf_set1(float x) { return _mm256_set1_ps(x); }
static inline vf vf_zero(void) { return _mm256_setzero_ps(); }

static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }

static inline vf vf_square_rest(vf a, vf square) { return _mm256_fmsub_ps(a, a, square); }

static inline vf vf_abs(vf v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }

static inline vf vf_round(vf v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

static inline vf vf_pow2(vf n)
{
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}

static inline vf vf_select_lt(vf a, vf b, vf x, vf y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

static inline vf vf_or_nan(vf v, vf a) { return _mm256_or_ps(v, _mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
static inline vf vf_sqrt(vf v) { return _mm256_sqrt_ps(v); }

static inline vf vf_exponent(vf v)
{
    const __m256i biased = _mm256_srli_epi32(_mm256_castps_si256(v), 23);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(biased, _mm256_set1_epi32(127)));
}

static inline vf vf_copysign(vf magnitude, vf sign)
{
    const vf mask = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_and_ps(mask, sign), _mm256_andnot_ps(mask, magnitude));
}

static inline float vf_sum(vf v)
{
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

typedef __m256 vn;
static inline vn vn_none(void) { return _mm256_setzero_ps(); }
static inline vn vn_note(vn n, vf a, vf b) { return _mm256_or_ps(n, _mm256_cmp_ps(a, b, _CMP_UNORD_Q)); }
static inline int vn_any(vn n) { return _mm256_movemask_ps(n) != 0; }

static inline vw vw_load(const float *p)
{
    vw w = _mm256_broadcast_ps((const __m128 *)p);
    __asm__("" : "+x"(w)); // or clang makes four loads of it and of the splats
    return w;
}

#define vw_splat(w, j) _mm256_permute_ps((w), (j) * 0x55)
#define vf_fma_lane(w, j, x, acc) vf_fma(vw_splat((w), (j)), (x), (acc))

static inline vi vi_load_u8(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

static inline vf vf_gather_u16(const float *base, const uint16_t *idx) { return snn_gather_eight(base, idx); }

static inline void vf_block_load(const float *x, vf block[VF_BLOCK / VF_LANES])
{
    for (int i = 0; i < VF_BLOCK / VF_LANES; i++)
        block[i] = vf_load(x + i * VF_LANES);
}

/* The permutes take the low 3 bits of idx, the blends bits 3 and 4, moved to the sign where blendv looks. */
static inline vf vf_lookup_block(const vf block[VF_BLOCK / VF_LANES], vi idx)
{
    const vf bit3 = _mm256_castsi256_ps(_mm256_slli_epi32(idx, 28));
    const vf bit4 = _mm256_castsi256_ps(_mm256_slli_epi32(idx, 27));
    const vf lower = _mm256_blendv_ps(_mm256_permutevar8x32_ps(block[0], idx),
                                      _mm256_permutevar8x32_ps(block[1], idx), bit3);
    const vf upper = _mm256_blendv_ps(_mm256_permutevar8x32_ps(block[2], idx),
                                      _mm256_permutevar8x32_ps(block[3], idx), bit3);
    return _mm256_blendv_ps(lower, upper, bit4);
}

#endif
