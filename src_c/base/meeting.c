#include "base/meeting.h"

#include "base/threads.h"

#include <sched.h>

/* Looks before a thread gives its processor away: tens of microseconds. */
enum { LOOKS = 1000 };

/* Tells the processor that this is a loop that waits. */
static inline void rest(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Counts may wrap: what counts is which is ahead. */
static int has_come(snn_arrival *other, unsigned count)
{
    return (int)(atomic_load_explicit(&other->count, memory_order_acquire) - count) >= 0;
}

void snn_meet(snn_arrival *all, int member, int members)
{
    SNN_PAUSE();
    const unsigned count = atomic_load_explicit(&all[member].count, memory_order_relaxed) + 1;
    atomic_store_explicit(&all[member].count, count, memory_order_release);
    for (int i = 0; i < members; i++)
        for (int looks = 0; i != member && !has_come(&all[i], count); looks += looks < LOOKS) {
            SNN_PAUSE();
            if (looks < LOOKS)
                rest();
            else
                sched_yield();
        }
}
