/* The vector words for AArch64 NEON: 4 lanes, 32 registers.
 * Every kernel is written in these words; words_scalar.h describes each word once, for all ISAs. */
#ifndef SNN_WORDS_H
#define SNN_WORDS_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#define SNN_ISA neon
#define VF_LANES 4
#define VF_REGISTERS 32
#define VF_BLOCK 16

typedef float32x4_t vf;
typedef int32x4_t vi;
typedef float32x4_t vw;

static inline vf vf_load(const float *p) { return vld1q_f32(p); }
static inline void vf_store(float *p, vf v) { vst1q_f32(p, v); }
static inline vf vf_set1(float x) { return vdupq_n_f32(x); }
static inline vf vf_zero(void) { return vdupq_n_f32(0.0f); }

static inline vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
static inline vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
static inline vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
static inline vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }

static inline vf vf_select_lt(vf a, vf b, vf x, vf y) { return vbslq_f32(vcltq_f32(a, b), x, y); }

/* Not vminq and vmaxq: those give NaN where either operand is NaN, and order +0 and -0. */
static inline vf vf_min(vf a, vf b) { return vf_select_lt(a, b, a, b); }
static inline vf vf_max(vf a, vf b) { return vf_select_lt(b, a, a, b); }

static inline vf vf_square_rest(vf a, vf square) { return vfmaq_f32(vnegq_f32(square), a, a); }

static inline vf vf_abs(vf v) { return vabsq_f32(v); }
static inline vf vf_round(vf v) { return vrndnq_f32(v); }

static inline vf vf_pow2(vf n)
{
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
}

static inline vf vf_or_nan(vf v, vf a) { return vbslq_f32(vceqq_f32(a, a), v, a); }
static inline vf vf_sqrt(vf v) { return vsqrtq_f32(v); }

static inline vf vf_exponent(vf v)
{
    return vcvtq_f32_s32(vsubq_s32(vshrq_n_s32(vreinterpretq_s32_f32(v), 23), vdupq_n_s32(127)));
}

static inline vf vf_copysign(vf magnitude, vf sign)
{
    return vbslq_f32(vdupq_n_u32(0x80000000u), sign, magnitude);
}

static inline float vf_sum(vf v) { return vaddvq_f32(v); }

typedef uint32x4_t vn; // all ones where there was none
static inline vn vn_none(void) { return vdupq_n_u32(~0u); }
static inline vn vn_note(vn n, vf a, vf b)
{
    return vandq_u32(n, vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b)));
}
static inline int vn_any(vn n) { return vminvq_u32(n) == 0; }

static inline vw vw_load(const float *p) { return vld1q_f32(p); }
#define vw_splat(w, j) vdupq_laneq_f32((w), (j))
#define vf_fma_lane(w, j, x, acc) vfmaq_laneq_f32((acc), (x), (w), (j))

static inline vi vi_load_u8(const uint8_t *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(four));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
}

static inline vf vf_gather_u16(const float *base, const uint16_t *idx)
{
    vf lanes = vld1q_dup_f32(base + idx[0]);
    lanes = vld1q_lane_f32(base + idx[1], lanes, 1);
    lanes = vld1q_lane_f32(base + idx[2], lanes, 2);
    return vld1q_lane_f32(base + idx[3], lanes, 3);
}

static inline void vf_block_load(const float *x, vf block[VF_BLOCK / VF_LANES])
{
    for (int i = 0; i < VF_BLOCK / VF_LANES; i++)
        block[i] = vf_load(x + i * VF_LANES);
}

/* The block is a table of 64 bytes; float idx is its bytes 4 idx .. 4 idx + 3. */
static inline vf vf_lookup_block(const vf block[VF_BLOCK / VF_LANES], vi idx)
{
    const uint8x16x4_t table = {{vreinterpretq_u8_f32(block[0]), vreinterpretq_u8_f32(block[1]),
                                 vreinterpretq_u8_f32(block[2]), vreinterpretq_u8_f32(block[3])}};
    const uint32x4_t bytes =
        vmlaq_u32(vdupq_n_u32(0x03020100u), vreinterpretq_u32_s32(idx), vdupq_n_u32(0x04040404u));
    return vreinterpretq_f32_u8(vqtbl4q_u8(table, vreinterpretq_u8_u32(bytes)));
}

#endif
