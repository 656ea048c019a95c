/* The vector words in plain C (GCC and clang generic vectors of 4 floats), for any processor, and the
 * description of every word for all ISAs. The other words_*.h define the same words with intrinsics.
 * A source file includes exactly one of them. Assumes the default rounding (to nearest, ties to even). */
#ifndef SNN_WORDS_H
#define SNN_WORDS_H

#include <stdint.h>
#include <string.h>

#define SNN_ISA scalar  /* the suffix of the kernels' names */
#define VF_LANES 4      /* floats in a vf */
#define VF_REGISTERS 16 /* vector registers a kernel may count on */
#define VF_BLOCK 64     /* inputs held by one block of vf_lookup_block */

typedef float vf __attribute__((vector_size(16)));   /* VF_LANES floats */
typedef int32_t vi __attribute__((vector_size(16))); /* VF_LANES int32 */
typedef vf vw;                                       /* 4 consecutive weights, to be broadcast one by one */

/* p need not be aligned; VF_LANES floats are read or written. */
static inline vf vf_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vf_store(float *p, vf v) { memcpy(p, &v, sizeof v); }
static inline vf vf_set1(float x) { return (vf){x, x, x, x}; }
static inline vf vf_zero(void) { return (vf){0.0f, 0.0f, 0.0f, 0.0f}; }

static inline vf vf_add(vf a, vf b) { return a + b; }
static inline vf vf_sub(vf a, vf b) { return a - b; }
static inline vf vf_mul(vf a, vf b) { return a * b; }
static inline vf vf_div(vf a, vf b) { return a / b; }

/* a * b + c; rounded once on every ISA but this one, which rounds twice. */
static inline vf vf_fma(vf a, vf b, vf c) { return a * b + c; }

/* a * a - square, square being vf_mul(a, a): exact, of an a whose square is an ordinary float.
 * Here by halves of 12 bits (Dekker 1971, doi 10.1007/BF01397083). */
static inline vf vf_square_rest(vf a, vf square)
{
    const vf spread = a * 4097.0f, high = spread - (spread - a), low = a - high;
    return ((high * high - square) + 2.0f * high * low) + low * low;
}

/* Lane-wise a < b ? x : y; y where a or b is NaN. */
static inline vf vf_select_lt(vf a, vf b, vf x, vf y)
{
    const vi less = a < b;
    return (vf)((less & (vi)x) | (~less & (vi)y));
}

/* a < b ? a : b and a > b ? a : b: the SECOND operand where either is NaN, and of +0 and -0.
 * So vf_max(vf_zero(), x) keeps a NaN in x, and vf_max(x, vf_zero()) does not. */
static inline vf vf_min(vf a, vf b) { return vf_select_lt(a, b, a, b); }
static inline vf vf_max(vf a, vf b) { return vf_select_lt(b, a, a, b); }

static inline vf vf_copysign(vf magnitude, vf sign)
{
    const vi mask = (vi)vf_set1(-0.0f);
    return (vf)((mask & (vi)sign) | (~mask & (vi)magnitude));
}

static inline vf vf_abs(vf v) { return vf_copysign(v, vf_zero()); }

/* To the nearest integral value, ties to even; keeps the sign of zero, infinities and NaN.
 * Adding 2^23 leaves no room in the significand for a fraction. */
static inline vf vf_round(vf v)
{
    const vf shift = vf_set1(8388608.0f);
    const vf magnitude = vf_abs(v);
    return vf_copysign(vf_select_lt(magnitude, shift, (magnitude + shift) - shift, v), v);
}

/* 2^n for integral n in [-126, 127]; any value elsewhere.
 * Adding 1.5 * 2^23 + 127 leaves the biased exponent in the lowest bits of the significand. */
static inline vf vf_pow2(vf n) { return (vf)((vi)(n + vf_set1(12582912.0f + 127.0f)) << 23); }

/* v, or NaN in the lanes where a is NaN. */
static inline vf vf_or_nan(vf v, vf a)
{
    const vi known = a == a;
    return (vf)((known & (vi)v) | (~known & (vi)a));
}

/* The square root, correctly rounded; NaN below 0. */
static inline vf vf_sqrt(vf v)
{
    return (vf){__builtin_sqrtf(v[0]), __builtin_sqrtf(v[1]), __builtin_sqrtf(v[2]), __builtin_sqrtf(v[3])};
}

/* The largest n for which 2^n <= v, of a v from 2^-126 on that is finite; any value elsewhere. */
static inline vf vf_exponent(vf v) { return __builtin_convertvector(((vi)v >> 23) - 127, vf); }

/* The sum of all lanes, in an order fixed for each ISA. */
static inline float vf_sum(vf v) { return (v[0] + v[2]) + (v[1] + v[3]); }

/* Whether there was a NaN: vn_none() to begin, vn_note(n, a, b) also where a or b has one, vn_any(n) in the
 * end. */
typedef vi vn;
static inline vn vn_none(void) { return (vn){0, 0, 0, 0}; }
static inline vn vn_note(vn n, vf a, vf b) { return n | (a != a) | (b != b); }
static inline int vn_any(vn n) { return (n[0] | n[1] | n[2] | n[3]) != 0; }

/* Reads p[0..3]; p need not be aligned. */
static inline vw vw_load(const float *p) { return vf_load(p); }

/* All lanes w[j], and acc + w[j] * x; j is a compile-time constant in 0..3. */
#define vw_splat(w, j) vf_set1((w)[(j)])
#define vf_fma_lane(w, j, x, acc) vf_fma(vw_splat((w), (j)), (x), (acc))

/* p[0..VF_LANES-1], zero-extended; p need not be aligned. */
static inline vi vi_load_u8(const uint8_t *p) { return (vi){p[0], p[1], p[2], p[3]}; }

/* base[idx[i]] for each lane i. */
static inline vf vf_gather_u16(const float *base, const uint16_t *idx)
{
    return (vf){base[idx[0]], base[idx[1]], base[idx[2]], base[idx[3]]};
}

/* x[0..VF_BLOCK-1] into block: registers where the ISA has enough of them, memory here. */
static inline void vf_block_load(const float *x, vf block[VF_BLOCK / VF_LANES])
{
    memcpy(block, x, VF_BLOCK * sizeof(float));
}

/* Element idx (0..VF_BLOCK-1) of a block, for each lane. */
static inline vf vf_lookup_block(const vf block[VF_BLOCK / VF_LANES], vi idx)
{
    const float *x = (const float *)block;
    return (vf){x[idx[0]], x[idx[1]], x[idx[2]], x[idx[3]]};
}

#endif
