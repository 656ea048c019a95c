/* Every kernel, in the words of the ISA file that includes this one. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernel.h"

#define SNN_JOIN_(a, b) snn_##a##_##b
#define SNN_JOIN(a, b) SNN_JOIN_(a, b)
#define SNN_NAME(name) SNN_JOIN(name, SNN_ISA)
/* Loops over arrays of vectors must unroll, or the arrays stay in memory: no break, and no index that varies after. */
#ifdef __clang__
#define SNN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SNN_UNROLL _Pragma("GCC unroll 16")
#endif
/* For each i below count, a constant of at most 4. A loop of count 1 is one that clang does not unroll. */
#define SNN_EACH(i, count) SNN_UNROLL for (int i = 0; i < 4; i++) if (i < (count))

/* lanes floats, 1 to VF_LANES; lanes that are loaded beyond them are zero. */
static inline vf SNN_NAME(load_lanes)(const float *p, int lanes) {
    return lanes == VF_LANES ? vf_load(p) : vf_load_part(p, lanes);
}
static inline void SNN_NAME(store_lanes)(float *p, vf v, int lanes) {
    if (lanes == VF_LANES) vf_store(p, v);
    else vf_store_part(p, v, lanes);
}

#include "math.inl"
#include "logarithm.inl"
#include "activation.inl"
#include "epilogue.inl"
#include "csr_tile.inl"
#include "panel_tile.inl"
#include "lanes.inl"
#include "csr_column.inl"
#include "sell_column.inl"
#include "dense_tile.inl"
#include "dense_column.inl"
#include "softmax.inl"
#include "product.inl"
#include "soften.inl"
#include "attend.inl"
#include "axis_norm.inl"
#include "axis_norm_back.inl"
#include "reduce.inl"
#include "pair.inl"
#include "mix.inl"
#include "watch.inl"
#include "exact.inl"
#include "transpose.inl"
#include "copy.inl"
#include "stencil.inl"
#include "stencil_three.inl"
#include "recurrent.inl"
#include "recurrent_back.inl"
#include "sampled.inl"
#include "dense_sum.inl"
#include "pool.inl"
#include "optimizer.inl"
#include "peak.inl"
#include "table.inl"
