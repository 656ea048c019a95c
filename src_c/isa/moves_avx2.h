/* Words that move data, for AVX2; moves_scalar.h describes them for all ISAs. */
#ifndef SNN_MOVES_H
#define SNN_MOVES_H

static inline uint64_t vx_load8(const uint8_t *p)
{
    __m128i eight = _mm_loadl_epi64((const __m128i *)p);
    __asm__("" : "+x"(eight)); // keep it a vector load: see kernels/csr_tile.inl
    return (uint64_t)_mm_cvtsi128_si64(eight);
}

/* All ones in the first n lanes. */
static inline __m256i first_lanes(int n)
{
    static const int32_t ones_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(ones_zeros + 8 - n));
}

static inline vf vf_load_part(const float *p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
static inline void vf_store_part(float *p, vf v, int n) { _mm256_maskstore_ps(p, first_lanes(n), v); }

typedef __m256i vm;
static inline vm vm_of(uint32_t bits)
{
    const __m256i lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), lanes), lanes);
}
static inline vf vf_load_where(const float *p, vm where) { return _mm256_maskload_ps(p, where); }

static inline void vf_transpose(vf m[8])
{
    __m256 t[8];
    for (int i = 0; i < 8; i += 4) { // 4 x 4 squares within the 128-bit halves
        const __m256 a = _mm256_unpacklo_ps(m[i], m[i + 1]), b = _mm256_unpackhi_ps(m[i], m[i + 1]);
        const __m256 c = _mm256_unpacklo_ps(m[i + 2], m[i + 3]), d = _mm256_unpackhi_ps(m[i + 2], m[i + 3]);
        t[i] = _mm256_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm256_shuffle_ps(a, c, 0xEE);
        t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm256_shuffle_ps(b, d, 0xEE);
    }
    for (int j = 0; j < 4; j++) { // the halves themselves
        m[j] = _mm256_permute2f128_ps(t[j], t[j + 4], 0x20);
        m[j + 4] = _mm256_permute2f128_ps(t[j], t[j + 4], 0x31);
    }
}

static inline vf vf_and(vf a, vf b) { return _mm256_and_ps(a, b); }
static inline vf vf_evens(vf a, vf b) { return _mm256_shuffle_ps(a, b, 0x88); }
static inline vf vf_evens_odds(vf a, vf b) { return _mm256_shuffle_ps(a, b, 0xD8); }
static inline vf vf_odds(vf a, vf b) { return _mm256_shuffle_ps(a, b, 0xDD); }
static inline vf vf_in_order(vf v) // pairs of lanes come from a and b in turn
{
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(v), 0xD8));
}

static inline vi vi_load_bytes4(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
#define vi_byte(four, s) ((s) ? _mm256_srli_epi32((four), 8 * (s)) : (four))

static inline vf vf_lookup_half(const vf block[2], vi idx)
{
    const vf bit3 = _mm256_castsi256_ps(_mm256_slli_epi32(idx, 28));
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(block[0], idx), _mm256_permutevar8x32_ps(block[1], idx),
                            bit3);
}

#endif
