/* Threads that share a step: each begins with the chunks of its own part, whose values lie in its caches, and
 * goes on with what others have left, so that one that is held up for a moment is not waited for. */
#ifndef SNN_TURNS_H
#define SNN_TURNS_H

#include <stdatomic.h>
#include <stdint.h>

/* What is shared: items [begin(work, part, members), begin(work, part + 1, members)) are a part, unit of them
 * stay together, and run does some. */
typedef struct snn_turns {
    int64_t unit;
    int64_t (*begin)(const void *work, int part, int members);
    void (*run)(void *work, int64_t first, int64_t end);
} snn_turns;

/* What member does of so many. taken (members): chunks of each part that threads have begun, all of whom call
 * this; NULL: each does its own part. */
void snn_turns_run(const snn_turns *turns, void *work, atomic_int *taken, int member, int members);

#endif
