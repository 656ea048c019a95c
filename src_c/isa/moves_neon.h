/* Words that move data, for NEON; moves_scalar.h describes them for all ISAs. */
#ifndef SNN_MOVES_H
#define SNN_MOVES_H

#include "moves_four.h"

static inline uint64_t vx_load8(const uint8_t *p)
{
    return vget_lane_u64(vreinterpret_u64_u8(vld1_u8(p)), 0);
}

static inline void vf_transpose(vf m[4])
{
    const float32x4_t a = vtrn1q_f32(m[0], m[1]), b = vtrn2q_f32(m[0], m[1]);
    const float32x4_t c = vtrn1q_f32(m[2], m[3]), d = vtrn2q_f32(m[2], m[3]);
    m[0] = vreinterpretq_f32_f64(vtrn1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(c)));
    m[1] = vreinterpretq_f32_f64(vtrn1q_f64(vreinterpretq_f64_f32(b), vreinterpretq_f64_f32(d)));
    m[2] = vreinterpretq_f32_f64(vtrn2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(c)));
    m[3] = vreinterpretq_f32_f64(vtrn2q_f64(vreinterpretq_f64_f32(b), vreinterpretq_f64_f32(d)));
}

static inline vf vf_and(vf a, vf b)
{
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}

static inline vf vf_evens(vf a, vf b) { return vuzp1q_f32(a, b); }
static inline vf vf_evens_odds(vf a, vf b) { return vuzp1q_f32(a, vextq_f32(b, b, 1)); }
static inline vf vf_odds(vf a, vf b) { return vuzp2q_f32(a, b); }
static inline vf vf_in_order(vf v) { return v; }

static inline vi vi_load_bytes4(const uint8_t *p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }
static inline vi vi_byte(vi four, int s)
{
    const uint32x4_t down = vshlq_u32(vreinterpretq_u32_s32(four), vdupq_n_s32(-8 * s));
    return vreinterpretq_s32_u32(vandq_u32(down, vdupq_n_u32(255)));
}

static inline vf vf_lookup_half(const vf block[2], vi idx)
{
    const uint8x16x2_t table = {{vreinterpretq_u8_f32(block[0]), vreinterpretq_u8_f32(block[1])}};
    const uint32x4_t bytes =
        vmlaq_u32(vdupq_n_u32(0x03020100u), vreinterpretq_u32_s32(idx), vdupq_n_u32(0x04040404u));
    return vreinterpretq_f32_u8(vqtbl2q_u8(table, vreinterpretq_u8_u32(bytes)));
}

#endif
