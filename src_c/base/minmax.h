/* The smaller and the larger of two counts. */
#ifndef SNN_MINMAX_H
#define SNN_MINMAX_H

#include <stdint.h>

static inline int64_t snn_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t snn_max(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
