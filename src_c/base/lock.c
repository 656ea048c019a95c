#include "base/lock.h"

#include <pthread.h>

static pthread_mutex_t locks[SNN_LOCK_COUNT] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

void snn_lock(snn_lock_name name) { pthread_mutex_lock(&locks[name]); }
void snn_unlock(snn_lock_name name) { pthread_mutex_unlock(&locks[name]); }

/* ---- fork ---- */

static void lock_all(void)
{
    for (int i = 0; i < SNN_LOCK_COUNT; i++)
        snn_lock((snn_lock_name)i);
}

static void unlock_all(void)
{
    for (int i = SNN_LOCK_COUNT - 1; i >= 0; i--)
        snn_unlock((snn_lock_name)i);
}

#if defined(__GNUC__)
__attribute__((constructor))
#endif
static void watch_forks(void)
{
    pthread_atfork(lock_all, unlock_all, unlock_all);
}
