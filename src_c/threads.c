/* Threads through OpenMP; serial without it and after a fork. */
#include "threads.h"

#include "cpu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#ifdef _OPENMP
#include <omp.h>

static atomic_int forked;  // set in a child of fork(): OpenMP's threads did not come along
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void mark_fork(void) { atomic_store(&forked, 1); }
static void watch_fork(void) { pthread_atfork(NULL, NULL, mark_fork); }

void snn_parallel(int wanted, snn_task task, void *argument) {
    if (wanted > 1) pthread_once(&once, watch_fork);
    if (wanted <= 1 || atomic_load(&forked)) {
        task(argument, 0, 1);
        return;
    }
#pragma omp parallel num_threads(wanted)
    task(argument, omp_get_thread_num(), omp_get_num_threads());
}

void snn_barrier(void) {
#pragma omp barrier
}

int snn_threads_openmp(void) { return 1; }

int snn_threads_default(void) {
    const char *set = getenv("OMP_NUM_THREADS");
    int threads = omp_get_max_threads();
    if (!set || !*set) {
        const int quota = snn_cpu_quota();
        if (quota < threads) threads = quota;
    }
    return threads < SNN_MAX_THREADS ? threads : SNN_MAX_THREADS;
}
#else
void snn_parallel(int wanted, snn_task task, void *argument) {
    (void)wanted;
    task(argument, 0, 1);
}

void snn_barrier(void) {}
int snn_threads_openmp(void) { return 0; }
int snn_threads_default(void) { return 1; }
#endif
