/* Takes the place of threads.c in a test program: plain threads, new ones for each region, that are held up
 * at random where a region begins, at barriers and at the marked places (SNN_PAUSE). So an order of things
 * that a scheduler brings about once in a million runs comes about at once, and a sanitizer sees every
 * barrier. In one region of two the members run one at a time, in a random order that the seed repeats: what
 * a member writes where another has written already then shows for certain in one order of the two. */
#ifndef SNN_TEST_PERTURBED_THREADS_H
#define SNN_TEST_PERTURBED_THREADS_H

#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_THREADS = 8 };

/* ---- chance ---- */

static _Thread_local uint64_t chance_state = 1;

static inline void chance_seed(uint64_t seed)
{
    seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9u; // splitmix64: near seeds give far states
    seed = (seed ^ seed >> 27) * 0x94d049bb133111ebu;
    chance_state = (seed ^ seed >> 31) | 1;
}

static inline uint32_t chance_bits(void)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (uint32_t)(chance_state >> 32);
}

/* A whole number in [0, count). */
static inline int chance(int count) { return (int)(chance_bits() % (uint32_t)count); }

/* In [-1, 1]. */
static inline float chance_value(void) { return (float)(chance(2001) - 1000) / 1000.0f; }

/* ---- delays ---- */

static void sleep_us(int microseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000L * microseconds}, NULL);
}

/* One time in one_in: a few spins, a turn for the others, or a sleep that outlasts a whole run. */
static void delay(int one_in)
{
    if (chance(one_in))
        return;
    switch (chance(4)) {
    case 0: sleep_us(1 + chance(150)); break;
    case 1: sched_yield(); break;
    default:
        for (volatile int spins = chance(3000); spins > 0; spins--)
            ;
    }
}

/* ---- regions ---- */

typedef struct team {
    snn_task task;
    void *argument;
    int threads;
    uint64_t seed;
    pthread_mutex_t mutex;
    pthread_cond_t all_here;
    int waiting;
    unsigned round;
    int by_turns;           /* one member runs at a time */
    int turn;               /* that one */
    int held[MOST_THREADS]; /* at a barrier, or at the end */
} team;

typedef struct member {
    team *team;
    int thread;
} member;

static _Thread_local team *current_team; /* NULL: a thread alone */
static _Thread_local int current_member;

/* Gives the turn to any member that is not held; those at a barrier are held until all are there. */
static void hand_on(team *t)
{
    int free_members[MOST_THREADS], count = 0;
    if (t->waiting == t->threads) {
        t->waiting = 0;
        memset(t->held, 0, sizeof t->held);
    }
    for (int i = 0; i < t->threads; i++)
        if (!t->held[i])
            free_members[count++] = i;
    if (count)
        t->turn = free_members[chance(count)];
    pthread_cond_broadcast(&t->all_here);
}

static void wait_for_turn(team *t)
{
    while (t->turn != current_member)
        pthread_cond_wait(&t->all_here, &t->mutex);
}

/* Where members run by turns: hands the turn on, held at a barrier until all are. */
static void take_turns(team *t, int at_barrier)
{
    pthread_mutex_lock(&t->mutex);
    t->held[current_member] = at_barrier;
    t->waiting += at_barrier;
    hand_on(t);
    wait_for_turn(t);
    pthread_mutex_unlock(&t->mutex);
}

void snn_pause(void)
{
    if (!current_team || !current_team->by_turns)
        delay(12);
    else if (chance(8) == 0)
        take_turns(current_team, 0);
}

void snn_barrier(void)
{
    team *t = current_team;
    if (!t)
        return;
    if (t->by_turns) {
        take_turns(t, 1);
        return;
    }
    delay(3);
    pthread_mutex_lock(&t->mutex);
    const unsigned round = t->round;
    if (++t->waiting == t->threads) {
        t->waiting = 0;
        t->round++;
        pthread_cond_broadcast(&t->all_here);
    }
    while (round == t->round)
        pthread_cond_wait(&t->all_here, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
    delay(3);
}

static void *run_member(void *argument)
{
    const member *m = argument;
    team *t = m->team;
    current_team = t;
    current_member = m->thread;
    chance_seed(t->seed + (uint64_t)m->thread);
    if (!t->by_turns) {
        delay(2);
        t->task(t->argument, m->thread, t->threads);
        return NULL;
    }
    pthread_mutex_lock(&t->mutex);
    wait_for_turn(t);
    pthread_mutex_unlock(&t->mutex);
    t->task(t->argument, m->thread, t->threads);
    pthread_mutex_lock(&t->mutex);
    t->held[m->thread] = 1;
    hand_on(t);
    pthread_mutex_unlock(&t->mutex);
    return NULL;
}

/* One region in four gets fewer threads than it wants, as it may from OpenMP. */
void snn_parallel(int wanted, snn_task task, void *argument)
{
    team *const outer = current_team;
    const int outer_member = current_member;
    const uint64_t after = (uint64_t)chance_bits() << 32 | chance_bits();
    const int threads = wanted > 1 && chance(4) == 0 ? 1 + chance(wanted) : wanted;
    if (threads <= 1) {
        current_team = NULL;
        task(argument, 0, 1);
        current_team = outer;
        return;
    }
    team t = {.task = task, .argument = argument, .threads = threads, .seed = after};
    t.by_turns = chance(2);
    t.turn = chance(threads);
    member members[MOST_THREADS];
    pthread_t others[MOST_THREADS];
    if (threads > MOST_THREADS || pthread_mutex_init(&t.mutex, NULL) || pthread_cond_init(&t.all_here, NULL))
        abort();
    for (int i = 0; i < threads; i++) {
        members[i] = (member){&t, i};
        if (i > 0 && pthread_create(&others[i], NULL, run_member, &members[i]))
            abort();
    }
    run_member(&members[0]);
    for (int i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
    pthread_mutex_destroy(&t.mutex);
    pthread_cond_destroy(&t.all_here);
    current_team = outer;
    current_member = outer_member;
    chance_seed(~after); // what the caller draws does not depend on the delays
}

int snn_threads_openmp(void) { return 0; }
int snn_threads_default(void) { return 2; }

/* ---- the program ---- */

/* Runs of a kind, and how many of them gave other bits than one thread. */
typedef struct tally {
    const char *name;
    atomic_long runs, wrong;
} tally;

static inline void count_run(tally *t, int right)
{
    atomic_fetch_add(&t->runs, 1);
    atomic_fetch_add(&t->wrong, !right);
}

static inline long count_tallies(tally *tallies, int count)
{
    long runs = 0;
    for (int i = 0; i < count; i++)
        runs += tallies[i].runs;
    return runs;
}

/* Prints the tallies; returns how many runs were wrong. */
static inline long print_tallies(tally *tallies, int count)
{
    long wrong = 0;
    for (int i = 0; i < count; i++) {
        printf("%-24s %8ld runs, %6ld wrong\n", tallies[i].name, (long)tallies[i].runs,
               (long)tallies[i].wrong);
        wrong += tallies[i].wrong;
    }
    return wrong;
}

/* The arguments of the program: how many runs, and a seed. */
static inline long wanted_runs(int argc, char **argv, long usual)
{
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    const long runs = argc > 1 ? strtol(argv[1], NULL, 10) : usual;
    chance_seed(seed);
    printf("%ld runs, seed %llu\n", runs, (unsigned long long)seed);
    return runs;
}

#endif
