/* Words that move data, for AVX-512; moves_scalar.h describes them for all ISAs. */
#ifndef SNN_MOVES_H
#define SNN_MOVES_H

static inline uint64_t vx_load8(const uint8_t *p)
{
    __m128i eight = _mm_loadl_epi64((const __m128i *)p);
    __asm__("" : "+v"(eight)); // keep it a vector load: see kernels/csr_tile.inl
    return (uint64_t)_mm_cvtsi128_si64(eight);
}

static inline vf vf_load_part(const float *p, int n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

static inline void vf_store_part(float *p, vf v, int n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}

typedef __mmask16 vm;
static inline vm vm_of(uint32_t bits) { return (vm)bits; }
static inline vf vf_load_where(const float *p, vm where) { return _mm512_maskz_loadu_ps(where, p); }

static inline void vf_transpose(vf m[16])
{
    __m512 t[16];
    for (int i = 0; i < 16; i += 4) { // 4 x 4 squares within the 128-bit quarters
        const __m512 a = _mm512_unpacklo_ps(m[i], m[i + 1]), b = _mm512_unpackhi_ps(m[i], m[i + 1]);
        const __m512 c = _mm512_unpacklo_ps(m[i + 2], m[i + 3]), d = _mm512_unpackhi_ps(m[i + 2], m[i + 3]);
        t[i] = _mm512_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm512_shuffle_ps(a, c, 0xEE);
        t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm512_shuffle_ps(b, d, 0xEE);
    }
    for (int j = 0; j < 4; j++) { // the quarters themselves
        const __m512 a = _mm512_shuffle_f32x4(t[j], t[j + 4], 0x88),
                     b = _mm512_shuffle_f32x4(t[j], t[j + 4], 0xDD);
        const __m512 c = _mm512_shuffle_f32x4(t[j + 8], t[j + 12], 0x88);
        const __m512 d = _mm512_shuffle_f32x4(t[j + 8], t[j + 12], 0xDD);
        m[j] = _mm512_shuffle_f32x4(a, c, 0x88);
        m[j + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        m[j + 8] = _mm512_shuffle_f32x4(a, c, 0xDD);
        m[j + 12] = _mm512_shuffle_f32x4(b, d, 0xDD);
    }
}

static inline vf vf_and(vf a, vf b) { return _mm512_and_ps(a, b); }
static inline vf vf_evens(vf a, vf b) { return _mm512_shuffle_ps(a, b, 0x88); }
static inline vf vf_evens_odds(vf a, vf b) { return _mm512_shuffle_ps(a, b, 0xD8); }
static inline vf vf_odds(vf a, vf b) { return _mm512_shuffle_ps(a, b, 0xDD); }
static inline vf vf_in_order(vf v) // pairs of lanes come from a and b in turn
{
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    return _mm512_castpd_ps(_mm512_permutexvar_pd(order, _mm512_castps_pd(v)));
}

static inline vi vi_load_bytes4(const uint8_t *p) { return _mm512_loadu_si512(p); }
#define vi_byte(four, s) ((s) ? _mm512_srli_epi32((four), 8 * (s)) : (four))

static inline vf vf_lookup_half(const vf block[2], vi idx) { return vf_lookup32(block[0], block[1], idx); }

#endif
