/* The vector words for AVX-512 (F, BW, DQ, VL): 16 lanes, 32 registers.
 * Every kernel is written in these words; words_scalar.h describes each word once, for all ISAs. */
#ifndef SNN_WORDS_H
#define SNN_WORDS_H

#include "isa/gather_x86.h"

#include <immintrin.h>
#include <stdint.h>

#define SNN_ISA avx512
#define VF_LANES 16
#define VF_REGISTERS 32
#define VF_BLOCK 64

typedef __m512 vf;
typedef __m512i vi;
typedef __m512 vw;

static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
static inline vf vf_set1(float x) { return _mm512_set1_ps(x); }
static inline vf vf_zero(void) { return _mm512_setzero_ps(); }

static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }

static inline vf vf_square_rest(vf a, vf square) { return _mm512_fmsub_ps(a, a, square); }

static inline vf vf_abs(vf v) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), v); }

static inline vf vf_round(vf v)
{
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vf vf_pow2(vf n) { return _mm512_scalef_ps(_mm512_set1_ps(1.0f), n); }

static inline vf vf_select_lt(vf a, vf b, vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}

static inline vf vf_or_nan(vf v, vf a)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), v, a);
}

static inline vf vf_sqrt(vf v) { return _mm512_sqrt_ps(v); }
static inline vf vf_exponent(vf v) { return _mm512_getexp_ps(v); }

static inline vf vf_copysign(vf magnitude, vf sign)
{
    const vf mask = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_and_ps(mask, sign), _mm512_andnot_ps(mask, magnitude));
}

static inline float vf_sum(vf v)
{
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

typedef __mmask16 vn;
static inline vn vn_none(void) { return 0; }
static inline vn vn_note(vn n, vf a, vf b) { return _kor_mask16(n, _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q)); }
static inline int vn_any(vn n) { return n != 0; }

static inline vw vw_hold(vw w)
{
    __asm__("" : "+v"(w)); // or a compiler makes one slow shuffle of it and of the splat
    return w;
}

static inline vw vw_load(const float *p) { return vw_hold(_mm512_broadcast_f32x4(_mm_loadu_ps(p))); }
/* Four of sixteen weights as vw_load gives them. */
#define vw_quarter(sixteen, q) vw_hold(_mm512_shuffle_f32x4((sixteen), (sixteen), (q) * 0x55))
#define vw_splat(w, j) _mm512_permute_ps((w), (j) * 0x55)
#define vf_fma_lane(w, j, x, acc) vf_fma(vw_splat((w), (j)), (x), (acc))

static inline vi vi_load_u8(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}

static inline vf vf_gather_u16(const float *base, const uint16_t *idx)
{
    return _mm512_insertf32x8(_mm512_castps256_ps512(snn_gather_eight(base, idx)),
                              snn_gather_eight(base, idx + 8), 1);
}

/* Lane idx (0..31) of the 32 floats lo, hi. This ISA only. */
static inline vf vf_lookup32(vf lo, vf hi, vi idx) { return _mm512_permutex2var_ps(lo, idx, hi); }

static inline void vf_block_load(const float *x, vf block[VF_BLOCK / VF_LANES])
{
    for (int i = 0; i < VF_BLOCK / VF_LANES; i++)
        block[i] = vf_load(x + i * VF_LANES);
}

static inline vf vf_lookup_block(const vf block[VF_BLOCK / VF_LANES], vi idx)
{
    const __mmask16 upper = _mm512_test_epi32_mask(idx, _mm512_set1_epi32(32));
    return _mm512_mask_blend_ps(upper, vf_lookup32(block[0], block[1], idx),
                                vf_lookup32(block[2], block[3], idx));
}

#endif
