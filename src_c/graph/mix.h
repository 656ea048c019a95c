/* How a place of an axis is made of two. */
#ifndef SNN_MIX_H
#define SNN_MIX_H

#include <stdint.h>

/* A place of an axis of the result: (1 - part) times the operand's place low, and part times the one behind
 * it, which is not read where part is 0. */
typedef struct snn_mix {
    int32_t low;
    float part;
} snn_mix;

#endif
