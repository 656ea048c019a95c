/* Every kernel, in the words of the ISA file that includes this one. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../kernel.h"

#define SNN_JOIN_(a, b) snn_##a##_##b
#define SNN_JOIN(a, b) SNN_JOIN_(a, b)
#define SNN_NAME(name) SNN_JOIN(name, SNN_ISA)
/* Loops over arrays of vectors must unroll, or the arrays stay in memory. */
#ifdef __clang__
#define SNN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SNN_UNROLL _Pragma("GCC unroll 16")
#endif
/* For each v of V vectors. clang unrolls this one, but not a loop whose count the inlined V makes 1. */
#define SNN_VECTORS SNN_UNROLL for (int v = 0; v < 4; v++) if (v < V)

#include "math.inl"
#include "epilogue.inl"
#include "csr_tile.inl"
#include "panel_tile.inl"
#include "csr_column.inl"
#include "dense_tile.inl"
#include "dense_column.inl"
#include "softmax.inl"
#include "transpose.inl"
#include "copy.inl"
#include "sampled.inl"
#include "slope.inl"
#include "optimizer.inl"
#include "peak.inl"
#include "table.inl"
