/* Takes the place of memory.c in a test program: counts what is held and fails where it is told to. */
#ifndef SNN_TEST_COUNTING_MEMORY_H
#define SNN_TEST_COUNTING_MEMORY_H

#include "base/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t memory_held, memory_peak;   /* bytes */
static atomic_long memory_calls, memory_fail_at; /* the call that fails, from 1; 0: none */

enum { MEMORY_FRONT = 64 };

void *snn_alloc(size_t count, size_t size)
{
    if (atomic_fetch_add(&memory_calls, 1) + 1 == memory_fail_at)
        return NULL;
    if (size != 0 && count > (SIZE_MAX / 4) / size)
        return NULL;
    const size_t bytes = count * size;
    /* The exact length, so that a sanitizer sees a read one byte behind it. */
    char *front = NULL;
    if (posix_memalign((void **)&front, MEMORY_FRONT, MEMORY_FRONT + bytes) != 0)
        return NULL;
    memset(front, 0, MEMORY_FRONT + bytes);
    memcpy(front, &bytes, sizeof bytes);
    const size_t held = atomic_fetch_add(&memory_held, bytes) + bytes;
    size_t peak = memory_peak;
    while (held > peak && !atomic_compare_exchange_weak(&memory_peak, &peak, held))
        continue;
    return front + MEMORY_FRONT;
}

void snn_free(void *pointer)
{
    if (pointer == NULL)
        return;
    char *front = (char *)pointer - MEMORY_FRONT;
    size_t bytes;
    memcpy(&bytes, front, sizeof bytes);
    memory_held -= bytes;
    free(front);
}

/* Starts counting anew. */
static inline void memory_reset(long fail_at)
{
    memory_calls = 0;
    memory_fail_at = fail_at;
    memory_peak = (size_t)memory_held;
}

#endif
