/* Takes the place of memory.c in a test program: counts what is held and fails where it is told to. */
#ifndef SNN_TEST_COUNTING_MEMORY_H
#define SNN_TEST_COUNTING_MEMORY_H

#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t memory_held, memory_peak;   /* bytes */
static long memory_calls, memory_fail_at; /* the call that fails, from 1; 0: none */

enum { MEMORY_FRONT = 64 };

void *snn_alloc(size_t count, size_t size)
{
    if (++memory_calls == memory_fail_at)
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
    memory_held += bytes;
    memory_peak = memory_held > memory_peak ? memory_held : memory_peak;
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
    memory_peak = memory_held;
}

#endif
