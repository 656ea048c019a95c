/* Allocation with checked arithmetic. All of the core's memory comes from here. */
#ifndef SNN_MEMORY_H
#define SNN_MEMORY_H

#include <stddef.h>

/* count * size zeroed bytes aligned to 64; NULL when the product overflows or memory is out.
 * A count of 0 gives a valid pointer. Freed with snn_free. */
void *snn_alloc(size_t count, size_t size);
void snn_free(void *pointer);

#endif
