/* The core's only parallelism: one region a call. Without OpenMP, inside a caller's own parallel region, or
 * in the child of a process that had threads (OpenMP's are gone), everything runs in the calling thread. */
#ifndef SNN_THREADS_H
#define SNN_THREADS_H

#define SNN_MAX_THREADS 1024

/* Runs task(argument, thread, threads) on up to wanted threads at once; threads may be fewer. */
typedef void (*snn_task)(void *argument, int thread, int threads);
void snn_parallel(int wanted, snn_task task, void *argument);
/* Every thread of the region waits until all have come here. */
void snn_barrier(void);

/* Marks a place where a thread may be slower than the others: a test build waits there at random. */
#ifdef SNN_PERTURBED
void snn_pause(void);
#define SNN_PAUSE() snn_pause()
#else
#define SNN_PAUSE() ((void)0)
#endif

/* OMP_NUM_THREADS where it is set; else the processors left by affinity and cgroup quota. */
int snn_threads_default(void);
/* 1 when built with OpenMP. */
int snn_threads_openmp(void);

#endif
