/* Threads through OpenMP; serial without it and after a fork. */
#include "base/threads.h"

#include "base/cpu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#ifdef _OPENMP
#include <omp.h>

/* ---- fork ----
 * A child has no thread but the one that forked. OpenMP does not notice: where its threads were running in
 * the parent, the child's next parallel region waits for them for ever. Whether they were, the caller's own
 * regions included, is asked at the fork: a process of one thread has none to lose. */

static atomic_int alone;  // before a fork: the process has one thread
static atomic_int forked; // OpenMP's threads did not come along

/* Linux counts a process's threads as links of a folder; elsewhere the answer is "more than one". */
static void before_fork(void)
{
    struct stat tasks;
    atomic_store(&alone, stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3);
}
static void in_child(void)
{
    if (!atomic_load(&alone))
        atomic_store(&forked, 1);
}

#if defined(__GNUC__)
__attribute__((constructor))
#endif
static void watch_forks(void)
{
    pthread_atfork(before_fork, NULL, in_child);
}

/* ---- regions ---- */

/* Set while a task runs alone: a barrier would be that of the caller's own region, if it is in one. */
static _Thread_local int serial;

void snn_parallel(int wanted, snn_task task, void *argument)
{
    if (wanted <= 1 || atomic_load(&forked)) {
        const int before = serial;
        serial = 1;
        task(argument, 0, 1);
        serial = before;
        return;
    }
#pragma omp parallel num_threads(wanted)
    task(argument, omp_get_thread_num(), omp_get_num_threads());
}

void snn_barrier(void)
{
    if (serial)
        return;
#pragma omp barrier
}

int snn_threads_openmp(void) { return 1; }

int snn_threads_default(void)
{
    const char *set = getenv("OMP_NUM_THREADS");
    int threads = omp_get_max_threads();
    if (!set || !*set) {
        const int quota = snn_cpu_quota();
        if (quota < threads)
            threads = quota;
    }
    return threads < SNN_MAX_THREADS ? threads : SNN_MAX_THREADS;
}
#else
void snn_parallel(int wanted, snn_task task, void *argument)
{
    (void)wanted;
    task(argument, 0, 1);
}

void snn_barrier(void) {}
int snn_threads_openmp(void) { return 0; }
int snn_threads_default(void) { return 1; }
#endif
