/* Allocation with checked arithmetic. All of the core's memory comes from here. */
#ifndef SNN_MEMORY_H
#define SNN_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* count * size zeroed bytes aligned to 64; NULL when the product overflows or memory is out.
 * A count of 0 gives a valid pointer. Freed with snn_free. */
void *snn_alloc(size_t count, size_t size);
void snn_free(void *pointer);
/* Makes room for one more element of size bytes in *list (count of *capacity), an owned array; 0 when memory
 * is out: then nothing has changed. */
int snn_grow(void **list, int64_t count, int64_t *capacity, size_t size);

#endif
