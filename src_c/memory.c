/* The core's one allocator. Both functions are weak, so that a test program may put its own in their place:
 * one that counts, or that fails at the n-th call. */
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define WEAK __attribute__((weak))
#else
#define WEAK
#endif

enum { ALIGNMENT = 64 };

WEAK void *snn_alloc(size_t count, size_t size)
{
    if (size != 0 && count > (PTRDIFF_MAX - ALIGNMENT) / size)
        return NULL;
    const size_t bytes = count * size;
    /* aligned_alloc wants a multiple of the alignment; a count of 0 still gets a pointer of its own. */
    const size_t rounded = bytes == 0 ? ALIGNMENT : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *pointer = aligned_alloc(ALIGNMENT, rounded);
    if (pointer != NULL)
        memset(pointer, 0, rounded);
    return pointer;
}

WEAK void snn_free(void *pointer) { free(pointer); }
