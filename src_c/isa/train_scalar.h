/* Words of the training kernels, in portable C. On every ISA:
 *   vf_quad(a, b, c, d)   partial sums: every four lanes hold one part of each of the four vectors' sums
 *   vf_join(quads)        quads (VF_LANES / 4) -> the VF_LANES sums themselves, in the order of the vectors
 * The lanes of a vector are added in the same order wherever it stands among those reduced with it. */
#ifndef SNN_TRAIN_WORDS_H
#define SNN_TRAIN_WORDS_H

static inline vf vf_quad(vf a, vf b, vf c, vf d) { return (vf){vf_sum(a), vf_sum(b), vf_sum(c), vf_sum(d)}; }

static inline vf vf_join(const vf quads[1]) { return quads[0]; }

#endif
