/* small_model: a sparsenn model of 1348 bytes, 6 inputs and 3 outputs, for
 * snn_model_load_memory. */
#ifndef SPARSENN_MODEL_small_model_H
#define SPARSENN_MODEL_small_model_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
extern const unsigned char small_model[1348];
extern const size_t small_model_size;
#ifdef __cplusplus
}
#endif

#endif
