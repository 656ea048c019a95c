/* Threads that meet far more often than a run has steps: a barrier of OpenMP asks the system to wake whoever
 * may sleep, each time; here a thread tells on a line of its own how often it has come. */
#ifndef SNN_MEETING_H
#define SNN_MEETING_H

#include <stdatomic.h>

/* How often a member has come, alone on its cache line; all begin alike, at 0. */
typedef struct snn_arrival {
    _Alignas(64) atomic_uint count;
} snn_arrival;

/* Comes as member of all (members), each of whom calls this as often, and waits until the others have come as
 * often: what they wrote before is seen then. For a few microseconds a thread looks all the time, then it
 * offers its processor to others between looks. */
void snn_meet(snn_arrival *all, int member, int members);

#endif
