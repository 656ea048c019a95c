/* The core's one allocator, on top of the caller's where one was given. Both functions are weak, so that a
 * test program may put its own in their place: one that counts, or that fails at the n-th call. */
#include "base/memory.h"
#include "base/status.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define WEAK __attribute__((weak))
#else
#define WEAK
#endif

enum { ALIGNMENT = 64 };

static void *allocate_default(void *context, size_t bytes, size_t alignment)
{
    (void)context;
    return aligned_alloc(alignment, bytes);
}

static void release_default(void *context, void *pointer)
{
    (void)context;
    free(pointer);
}

static const snn_allocator standard = {allocate_default, release_default, NULL};
static snn_allocator current = {allocate_default, release_default, NULL};
static atomic_llong held; /* blocks that are allocated at present */

WEAK void *snn_alloc(size_t count, size_t size)
{
    if (size != 0 && count > (PTRDIFF_MAX - ALIGNMENT) / size)
        return NULL;
    const size_t bytes = count * size;
    /* aligned_alloc wants a multiple of the alignment; a count of 0 still gets a pointer of its own. */
    const size_t rounded = bytes == 0 ? ALIGNMENT : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *pointer = current.allocate(current.context, rounded, ALIGNMENT);
    if (pointer == NULL)
        return NULL;
    atomic_fetch_add_explicit(&held, 1, memory_order_relaxed);
    return memset(pointer, 0, rounded);
}

WEAK void snn_free(void *pointer)
{
    if (pointer == NULL)
        return;
    atomic_fetch_sub_explicit(&held, 1, memory_order_relaxed);
    current.release(current.context, pointer);
}

int snn_grow(void **list, int64_t count, int64_t *capacity, size_t size)
{
    if (count < *capacity)
        return 1;
    const int64_t wanted = *capacity == 0 ? 8 : 2 * *capacity;
    void *larger = snn_alloc((size_t)wanted, size);
    if (larger == NULL)
        return 0;
    if (count > 0)
        memcpy(larger, *list, (size_t)count * size);
    snn_free(*list);
    *list = larger;
    *capacity = wanted;
    return 1;
}

snn_status snn_set_allocator(const snn_allocator *allocator)
{
    if (allocator != NULL && (allocator->allocate == NULL || allocator->release == NULL))
        return snn_fail(SNN_ERROR_ARGUMENT, "allocator must have both functions, %s is NULL",
                        allocator->allocate == NULL ? "allocate" : "release");
    const long long blocks = atomic_load(&held);
    if (blocks != 0)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "allocator must be set while nothing is allocated, got %lld blocks", blocks);
    current = allocator == NULL ? standard : *allocator;
    return SNN_OK;
}
