#include "base/crowd.h"

#include <time.h>

#define ONE 1024       /* learned: as expected */
#define SHORT_NS 20000 /* of one thread: reading a fine clock twice costs 50 ns, too much for each */
#define SAMPLED 8      /* one short region of so many is timed finely */
#define RUNS_FIRST 16  /* on fewer threads, at most, should it have been a hiccup */
#define RUNS_AGAIN 256 /* at most, so that less than 1 % of the runs are tries that fail */
#define SPENT_FIRST 2  /* times what was lost, of which two threads would have gained half */
#define SPENT_AGAIN 20 /* so that tries that fail take 5 % of the time at most */
#define REMEMBERED 32  /* regions, in the mean of their ratio to one thread */
#define USELESS 0.85   /* of one thread, in the mean: threads that fail are not tried again soon */
#define HARMFUL 1.1    /* with so much they fail, even if no loss of theirs stands out */
#define HARM_RUNS 16   /* and of so many was lost: else those with cold caches would do */
#define LONGEST_WHILE_NS 4000000000
#define TOLERATED_NS 1000000 /* waking sleeping threads may take some 0.1 ms; slices are longer than this */

#ifdef CLOCK_MONOTONIC_COARSE
#define COARSE CLOCK_MONOTONIC_COARSE
#else
#define COARSE CLOCK_MONOTONIC
#endif

#define LOAD(value) atomic_load_explicit(&crowd->value, memory_order_relaxed)
#define STORE(value, to) atomic_store_explicit(&crowd->value, to, memory_order_relaxed)

static int64_t now_ns(int clock)
{
    struct timespec t;
    clock_gettime((clockid_t)clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A coarse clock moves once a tick of some milliseconds: a step of one says nothing. */
static int64_t tick_ns(void)
{
    struct timespec t;
    return clock_getres(COARSE, &t) ? 0 : (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Threads while the others are held up. One busy process leaves all processors but one; then halves. */
static int fewer_than(int threads, int wanted) { return threads == wanted ? threads - 1 : (threads + 1) / 2; }

/* The clock for a region on all threads. */
static int choose_clock(snn_crowd *crowd, int64_t one_thread_ns)
{
    if (one_thread_ns >= SHORT_NS)
        return CLOCK_MONOTONIC;
    const int sample = LOAD(sample);
    STORE(sample, (sample + 1) % SAMPLED);
    return sample == 0 ? CLOCK_MONOTONIC : COARSE;
}

/* Whether fewer threads are to be used still: for a number of runs and a time. */
static int still_away(snn_crowd *crowd, int *timed)
{
    const int runs = LOAD(runs);
    *timed = runs > RUNS_AGAIN - RUNS_FIRST || runs <= RUNS_FIRST;
    if (runs > 0) {
        STORE(runs, runs - 1);
        return 1;
    }
    const int64_t now = now_ns(COARSE);
    if (now < LOAD(until_ns))
        return 1;
    STORE(returned_ns, now);
    STORE(lost_ns, 0);
    STORE(ratio, ONE); // neither trusted nor given up
    STORE(fewer, 0);
    return 0;
}

snn_crowd_visit snn_crowd_enter(snn_crowd *crowd, int wanted, double one_thread_us)
{
    const int learned = LOAD(learned);
    const double factor = learned ? (double)learned / ONE : 1.0;
    snn_crowd_visit visit = {.threads = wanted, .one_thread_ns = (int64_t)(1e3 * factor * one_thread_us)};
    const int fewer = LOAD(fewer);
    int timed = 1;
    if (fewer && fewer < wanted && still_away(crowd, &timed)) {
        visit.threads = fewer;
        visit.clock = timed ? CLOCK_MONOTONIC : -1;
    } else {
        visit.clock = choose_clock(crowd, visit.one_thread_ns);
    }
    if (visit.clock >= 0)
        visit.start_ns = now_ns(visit.clock);
    return visit;
}

/* Goes down at once, since nothing makes a run faster than it is, and up slowly. */
static void learn(snn_crowd *crowd, int64_t took_ns, int64_t one_thread_ns)
{
    const double before = LOAD(learned) ? LOAD(learned) : ONE;
    double now = before * (double)took_ns / (double)(one_thread_ns + 1);
    if (now > before)
        now = before + ((now < 8.0 * before ? now : 8.0 * before) - before) / 4;
    STORE(learned, now < 1.0 ? 1 : now > 1e6 ? 1000000 : (int)now);
}

static void remember(snn_crowd *crowd, int64_t took_ns, int64_t one_thread_ns)
{
    const double ratio = (double)took_ns / (double)(one_thread_ns + 1), before = LOAD(ratio);
    const double now = before + (ONE * (ratio < REMEMBERED ? ratio : REMEMBERED) - before) / REMEMBERED;
    STORE(ratio, (int)now);
}

/* Runs on fewer threads in proportion to what was lost: many short ones, few long ones. */
static int runs_for(int64_t lost_ns, int64_t one_thread_ns, int again)
{
    const int64_t most = again ? RUNS_AGAIN : RUNS_FIRST;
    const int64_t runs = 1 + (again ? SPENT_AGAIN : SPENT_FIRST) * lost_ns / (one_thread_ns + 1);
    return (int)(runs < most ? runs : most);
}

static void give_up_threads(snn_crowd *crowd, const snn_crowd_visit *visit, int wanted, int64_t lost_ns,
                            int64_t now)
{
    const int64_t before = LOAD(while_ns);
    const int again = before && (now - LOAD(returned_ns) < 4 * before || LOAD(ratio) > USELESS * ONE);
    int64_t span = again && lost_ns < 2 * before ? 2 * before : lost_ns;
    span = span > LONGEST_WHILE_NS ? LONGEST_WHILE_NS : span;
    STORE(while_ns, span);
    STORE(until_ns, now + span);
    STORE(lost_ns, 0);
    STORE(runs, runs_for(lost_ns, visit->one_thread_ns, again));
    STORE(fewer, fewer_than(visit->threads, wanted));
}

void snn_crowd_leave(snn_crowd *crowd, const snn_crowd_visit *visit, int wanted)
{
    if (visit->clock < 0)
        return;
    const int64_t now = now_ns(visit->clock);
    int64_t took = now - visit->start_ns;
    if (visit->threads > 1 && !LOAD(ratio)) { // the first of all: threads are made, and memory
        STORE(ratio, 1);
        return;
    }
    if (visit->threads == 1) {
        learn(crowd, took, visit->one_thread_ns);
        return;
    }
    if (visit->clock == COARSE && took > 0)
        took = took > 2 * tick_ns() ? took - tick_ns() : 0;
    if (visit->threads == wanted && visit->clock == CLOCK_MONOTONIC)
        remember(crowd, took, visit->one_thread_ns);
    // Half as much again as one thread is no loss: the expected time is that of data in the caches.
    const int64_t over = took - visit->one_thread_ns - visit->one_thread_ns / 2;
    const int64_t before = LOAD(lost_ns), lost = before + over > 0 ? before + over : 0;
    if (lost != before)
        STORE(lost_ns, lost);
    const int harmful =
        lost > HARM_RUNS * visit->one_thread_ns + TOLERATED_NS / 4 && LOAD(ratio) > HARMFUL * ONE;
    if (harmful || lost > 3 * visit->one_thread_ns + TOLERATED_NS)
        give_up_threads(crowd, visit, wanted, lost, now);
}
