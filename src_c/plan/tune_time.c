/* Timing candidates on one thread, so that neither other processes nor chance choose among them.
 *
 * A sample is the processor time of the thread: it stands still while the thread waits for a processor. */
#include "plan/problem.h"
#include "plan/samples.h"

#include <math.h>
#include <stdlib.h>

#define AGREE_WITHIN 1.04
#define WARM_US 1000.0      /* runs longer than this do not care what the caches held before */
#define PATIENCE_US 20000.0 /* of samples a candidate, when they do not agree */

typedef struct trial {
    snn_choice choice;
    double tiles; /* that the step takes */
    snn_samples samples;
} trial;

double snn_clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

clockid_t snn_tuning_clock(void)
{
    for (int i = 0; i < 3; i++) {
        const double start = snn_clock_us(CLOCK_MONOTONIC), used = snn_clock_us(CLOCK_THREAD_CPUTIME_ID);
        while (snn_clock_us(CLOCK_MONOTONIC) < start + 20.0)
            continue;
        const double moved = snn_clock_us(CLOCK_THREAD_CPUTIME_ID) - used;
        if (moved > 15.0 && moved < snn_clock_us(CLOCK_MONOTONIC) - start + 1.0)
            return CLOCK_THREAD_CPUTIME_ID;
    }
    return CLOCK_MONOTONIC;
}

static double time_of(const trial *t) { return snn_samples_us(&t->samples, AGREE_WITHIN); }

/* A convolution is timed by some tiles in its middle: what it fetches for each counts as well. */
#define TIMED_TILES 8

static int64_t timed_tiles(const snn_bench *b, const snn_choice *choice)
{
    const int64_t tiles = snn_step_tiles(b->step, b->bucket, choice->kernel);
    return tiles < TIMED_TILES ? tiles : TIMED_TILES;
}

static void run_choice(const snn_bench *b, const snn_choice *choice)
{
    const snn_step *step = b->step;
    if (snn_takes_positions(step, b->bucket)) {
        const snn_convolution c = {.plan = b->plan,
                                   .step = step,
                                   .window = step->window,
                                   .choice = choice,
                                   .x = b->x,
                                   .y = b->y,
                                   .spare = 1,
                                   .scratch = b->scratch};
        const int64_t count = timed_tiles(b, choice);
        const int64_t first = (snn_window_tiles(step->window, choice->kernel) - count) / 2;
        snn_convolution_run_tiles(&c, first, first + count);
        return;
    }
    for (int share = 0; share < choice->packing->share_count; share++)
        choice->kernel->run(snn_share(choice->packing, share), b->x, b->y, snn_column_stride(step->rows),
                            &step->epilogue);
}

/* What is timed of the step, after a run that brings its data into the caches; returns what the
 * samples took. */
static double sample(const snn_bench *bench, trial *t, int samples, clockid_t clock)
{
    const double least = time_of(t), guess = (least < DBL_MAX ? least : t->choice.estimate_us) / t->tiles;
    const int runs = snn_samples_runs(guess);
    double used = 0.0;
    if (guess < WARM_US)
        run_choice(bench, &t->choice);
    for (int i = 0; i < samples; i++) {
        const double start = snn_clock_us(clock);
        for (int run = 0; run < runs; run++)
            run_choice(bench, &t->choice);
        const double took = snn_clock_us(clock) - start;
        snn_samples_add(&t->samples, t->tiles * took / runs);
        used += took;
    }
    return used;
}

static int all_agree(const trial *trials, int count)
{
    int all = 1;
    for (int i = 0; i < count; i++)
        all &= snn_samples_agreed(&trials[i].samples, AGREE_WITHIN) >= 0;
    return all;
}

static int by_time(const void *a, const void *b)
{
    const double first = time_of(a), second = time_of(b);
    return (first > second) - (first < second);
}

/* Takes candidates in turn, so that drift hits all of them, for about budget_us each, and sorts them. */
static void take_rounds(const snn_bench *bench, trial *trials, int count, int samples, double budget_us,
                        clockid_t clock)
{
    double used = 0.0;
    for (int round = 0; round < 40 && (round < 3 || used < budget_us * count); round++)
        for (int i = 0; i < count; i++)
            used += sample(bench, &trials[i], samples, clock);
    qsort(trials, (size_t)count, sizeof *trials, by_time);
}

/* The same until their samples agree, or patience ends. */
static void settle(const snn_bench *bench, trial *trials, int count, clockid_t clock)
{
    double used = 0.0;
    while (!all_agree(trials, count) && used < PATIENCE_US * count)
        for (int i = 0; i < count; i++)
            used += sample(bench, &trials[i], 2, clock);
    qsort(trials, (size_t)count, sizeof *trials, by_time);
}

int snn_time_candidates(const snn_bench *bench, snn_choice *list, int count)
{
    trial trials[SNN_MAX_CANDIDATES];
    const clockid_t clock = snn_tuning_clock();
    for (int i = 0; i < count; i++) {
        trials[i].choice = list[i];
        trials[i].tiles = (double)snn_step_tiles(bench->step, bench->bucket, list[i].kernel) /
                          (double)timed_tiles(bench, &list[i]);
        snn_samples_init(&trials[i].samples);
    }
    if (count > 1)
        take_rounds(bench, trials, count, 1, 1500.0, clock);
    int close = 1; // those within an eighth of the best are timed for longer
    while (close < count && time_of(&trials[close]) < 1.125 * time_of(&trials[0]))
        close++;
    take_rounds(bench, trials, close, 2, count > 1 ? 4000.0 : 500.0, clock);
    settle(bench, trials, close, clock);
    for (int i = 0; i < count; i++) {
        const double ns = round(1e3 * time_of(&trials[i])); // as the cache keeps it
        list[i] = trials[i].choice;
        list[i].measured_us = 1e-3 * (ns > 1.0 ? ns : 1.0);
    }
    return all_agree(trials, close);
}

/* ---- the peak ---- */

/* The best of a few short runs. */
double snn_measure_peak(const snn_isa *isa)
{
    double best = 0.0;
    for (int round = 0; round < 5; round++) {
        float sink;
        const double start = snn_microseconds();
        const double operations = isa->peak(10000, &sink);
        const double rate = operations / (snn_microseconds() - start) * 1e-3;
        if (rate > best)
            best = rate;
    }
    return best;
}
