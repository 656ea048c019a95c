/* Threads that are held up. Beside other busy processes a parallel region waits, at its barriers, for a
 * thread that has no processor: 10 to 40 ms at a time, for a run of 30 us. A crowd watches the regions of one
 * plan: when they cost more than one thread alone would have taken, the next runs use fewer threads, one in
 * the end. After a while all threads are tried again; each time that fails the while is twice as long.
 *
 * Results do not depend on the number of threads, so nothing but time changes. Callers share a crowd without
 * locks: a count that two of them change at once may be lost, and only moves a decision by a run or two. */
#ifndef SNN_CROWD_H
#define SNN_CROWD_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct snn_crowd {
    atomic_int fewer;                 /* threads to use until the next try; 0: as many as wanted */
    atomic_int runs;                  /* that use fewer threads before the next try */
    atomic_int sample;                /* counts short regions: which are timed finely */
    atomic_int_least64_t until_ns;    /* no try before that time */
    atomic_int_least64_t returned_ns; /* when all threads were last tried again */
    atomic_int_least64_t while_ns;    /* how long fewer threads are used */
    atomic_int_least64_t lost_ns;     /* over what one thread would have taken, in the regions since */
    atomic_int ratio;   /* to what one thread takes, of regions on all threads: a mean of the last; 0: none */
    atomic_int learned; /* what runs on one thread took for an expected time of ONE; 0: ONE */
} snn_crowd;

/* One region, timed from enter to leave: to begin it waits for threads that have not yet left the last. */
typedef struct snn_crowd_visit {
    int threads;           /* to run with */
    int clock;             /* which clock times it, -1 for none */
    int64_t one_thread_ns; /* expected of one thread alone */
    int64_t start_ns;      /* by that clock */
} snn_crowd_visit;

/* A zeroed crowd is one without a past. wanted threads: 2 or more. one_thread_us: what one thread would take.
 */
snn_crowd_visit snn_crowd_enter(snn_crowd *crowd, int wanted, double one_thread_us);
void snn_crowd_leave(snn_crowd *crowd, const snn_crowd_visit *visit, int wanted);

#endif
