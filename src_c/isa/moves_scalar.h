/* Words that move data, in portable C. On every ISA:
 *   vx_load8(p)      eight bytes as one integer, the first in the low byte; through a vector register
 *                    where the processor likes that better
 *   vf_load_part(p, n), vf_store_part(p, v, n)   the first n lanes, 0 <= n <= VF_LANES; others are zero, or
 *                    stay as they are in memory
 *   vm_of(bits)      a mask of the lanes whose bit is set, the first the lowest
 *   vf_load_where(p, mask)   these lanes; others are zero, and not read. Not with four lanes a vector
 *   vf_transpose(m)  m (VF_LANES vectors) transposed in place
 *   vf_and(a, b)     of the bits
 *   vf_evens(a, b), vf_odds(a, b)   lanes 0, 2, ... and 1, 3, ... of a and then of b, in an order of the ISA
 *   vf_evens_odds(a, b)   the even lanes of a and then the odd ones of b, likewise
 *   vf_in_order(v)   lanes of that order in the order that they had
 *   vi_load_bytes4(p)    four bytes a lane
 *   vi_byte(four, s)     byte s of each lane, s a constant in 0..3, as vf_lookup_block takes it: what lies
 *                        above the byte is anything where the lookup does not mind
 *   vf_lookup_half(block, idx)  as vf_lookup_block, of the first half of a block alone: half the permutes */
#ifndef SNN_MOVES_H
#define SNN_MOVES_H

#include "moves_four.h"

#include <string.h>

static inline uint64_t vx_load8(const uint8_t *p)
{
    uint64_t eight;
    memcpy(&eight, p, sizeof eight);
    return eight;
}

static inline void vf_transpose(vf m[4])
{
    for (int i = 0; i < 4; i++) {
        for (int j = i + 1; j < 4; j++) {
            const float swap = m[i][j];
            m[i][j] = m[j][i];
            m[j][i] = swap;
        }
    }
}

static inline vf vf_and(vf a, vf b) { return (vf)((vi)a & (vi)b); }
static inline vf vf_evens(vf a, vf b) { return (vf){a[0], a[2], b[0], b[2]}; }
static inline vf vf_evens_odds(vf a, vf b) { return (vf){a[0], a[2], b[1], b[3]}; }
static inline vf vf_odds(vf a, vf b) { return (vf){a[1], a[3], b[1], b[3]}; }
static inline vf vf_in_order(vf v) { return v; }

static inline vi vi_load_bytes4(const uint8_t *p)
{
    vi four;
    memcpy(&four, p, sizeof four);
    return four;
}

static inline vi vi_byte(vi four, int s) { return (four >> (8 * s)) & 255; }

static inline vf vf_lookup_half(const vf *block, vi idx) { return vf_lookup_block(block, idx); }

#endif
