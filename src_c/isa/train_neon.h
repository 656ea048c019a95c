/* Words of the training kernels, for NEON; train_scalar.h describes them for all ISAs. */
#ifndef SNN_TRAIN_WORDS_H
#define SNN_TRAIN_WORDS_H

static inline vf vf_quad(vf a, vf b, vf c, vf d) { return vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)); }

static inline vf vf_join(const vf quads[1]) { return quads[0]; }

#endif
