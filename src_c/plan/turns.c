#include "plan/turns.h"

#include "base/minmax.h"

enum { CHUNKS = 4 }; /* of a part */

/* Chunks of items [begin, end) until all have been taken. */
static void run_part(const snn_turns *turns, void *work, atomic_int *taken, int64_t begin, int64_t end)
{
    const int64_t unit = turns->unit, chunk = ((end - begin + CHUNKS - 1) / CHUNKS + unit - 1) / unit * unit;
    while (begin < end && begin + atomic_load_explicit(taken, memory_order_relaxed) * chunk < end) {
        const int64_t first = begin + atomic_fetch_add_explicit(taken, 1, memory_order_relaxed) * chunk;
        if (first < end)
            turns->run(work, first, snn_min(first + chunk, end));
    }
}

void snn_turns_run(const snn_turns *turns, void *work, atomic_int *taken, int member, int members)
{
    if (!taken) {
        turns->run(work, turns->begin(work, member, members), turns->begin(work, member + 1, members));
        return;
    }
    for (int i = 0; i < members; i++) {
        const int part = (member + i) % members;
        run_part(turns, work, &taken[part], turns->begin(work, part, members),
                 turns->begin(work, part + 1, members));
    }
}
