/* What a tile of each bucket costs: by running tiles through the whole plan, whose layers push each other out
 * of the caches and whose threads wait for each other.
 *
 * A tile on one thread is timed by the thread's processor time, which other processes hardly change. Runs on
 * all threads have only the time of day: they are believed where they agree with each other and are not far
 * from what one thread says. */
#include "plan/problem.h"
#include "plan/samples.h"

#include "base/memory.h"
#include "base/status.h"

#include <math.h>
#include <string.h>

#define BARRIER_US 0.8
#define LONG_TILE_US 1000.0
#define AGREE_WITHIN 1.08
#define ENOUGH_US 2500.0
/* Longer than this a bucket is not timed, however disturbed: beside busy processes a run that shares a tile
 * may wait for a whole slice of the scheduler at each barrier. */
#define PATIENCE_US 30000.0
#define PATIENCE_RUNS 6 /* of a long run at least, within */
#define MOST_PATIENCE_US 200000.0

/* What the chosen kernel of a step takes for a tile. */
static double chosen_us(const snn_plan *plan, const snn_step *step, int bucket)
{
    const snn_choice *choice = &step->chosen[bucket];
    return (choice->measured_us > 0.0 ? choice->measured_us : choice->estimate_us) *
           snn_step_repeats(step, &plan->buckets[bucket]);
}

/* The other times from tile_us, which is that of one thread: cells that are not shared take one, others wait
 * at each step. */
static void estimate_others(const snn_plan *plan, snn_bucket *bucket)
{
    const int number = (int)(bucket - plan->buckets);
    double alone = 0.0, barriers = (double)plan->step_count;
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        if (step->type == SNN_STEP_RECURRENT && snn_recurrent_shared(step, number))
            barriers += 2.0 * snn_step_repeats(step, bucket);
        else if (step->type == SNN_STEP_RECURRENT)
            alone += chosen_us(plan, step, number);
    }
    alone = alone < bucket->tile_us ? alone : bucket->tile_us;
    bucket->alone_us = bucket->tile_us;
    bucket->split_us = plan->threads == 1
                           ? bucket->tile_us
                           : alone + (bucket->tile_us - alone) / plan->threads + BARRIER_US * barriers;
}

/* What moving values, or taking them in pairs, costs a tile: the values, and what begins each run of them. */
static double weightless_us(const snn_step *step, const snn_bucket *bucket)
{
    const double rows = bucket->layout == SNN_LAYOUT_COLUMN ? bucket->samples : 1;
    return 0.0001 * (double)step->outputs * bucket->samples + 0.005 * rows * (double)step->run_count;
}

/* What one thread takes for a tile of a bucket through the plan's steps, by what each was measured to take.
 */
static double sum_of_steps(const snn_plan *plan, int bucket)
{
    const snn_bucket *b = &plan->buckets[bucket];
    const double values = (double)(plan->inputs + plan->outputs) * b->samples;
    double sum = b->layout == SNN_LAYOUT_TILE ? values * 0.0002 : 0.0;
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        if (step->run_count && !(step->taken_over && snn_takes_over_in(plan, step, b)))
            sum += weightless_us(step, b);
        sum += chosen_us(plan, step, bucket);
    }
    return sum;
}

void snn_bucket_estimate(snn_plan *plan)
{
    for (int b = 0; b < plan->bucket_count; b++) {
        plan->buckets[b].tile_us = sum_of_steps(plan, b);
        estimate_others(plan, &plan->buckets[b]);
    }
}

/* A long plan is timed by its first steps, whose weights fill so many bytes and with them most caches: it
 * takes as much longer as the sum of its steps. */
#define PART_BYTES ((size_t)64 << 20)

static int64_t steps_to_time(const snn_plan *plan)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < plan->step_count; i++) {
        if (bytes >= PART_BYTES)
            return i;
        if (snn_has_weights(&plan->steps[i]))
            bytes += plan->steps[i].chosen[0].packing->bytes;
    }
    return plan->step_count;
}

/* How long samples may disagree, where the least took us. */
static double patience(double us)
{
    const double runs = PATIENCE_RUNS * us;
    return runs < PATIENCE_US ? PATIENCE_US : runs < MOST_PATIENCE_US ? runs : MOST_PATIENCE_US;
}

typedef struct timer {
    snn_plan *plan;
    snn_plan part; /* a copy with the first steps alone, which is run */
    double times_longer[SNN_MAX_BUCKETS];
    snn_workspace *workspace;
    float *x, *y; /* a tile a thread */
} timer;

/* Least time of a few runs of a batch as tiles of a bucket; *believed: whether the least ones agree. Gives up
 * when patience ends, after one run if need be. */
static double time_runs(const timer *t, int64_t batch, int bucket, int split, clockid_t clock, int *believed)
{
    double spent = 0.0, began = snn_microseconds();
    int runs = 1;
    snn_samples samples;
    snn_samples_init(&samples);
    *believed = 0;
    do {
        const double start = snn_clock_us(clock);
        for (int i = 0; i < runs; i++)
            snn_plan_run_bucket(&t->part, t->workspace, t->x, batch, t->y, bucket, split);
        const double us = (snn_clock_us(clock) - start) / runs;
        if (snn_samples_runs(us) > runs && samples.least_us[0] == DBL_MAX) {
            runs = snn_samples_runs(us);
            continue;
        }
        snn_samples_add(&samples, us);
        *believed = snn_samples_agreed(&samples, AGREE_WITHIN) >= 0;
        spent = snn_microseconds() - began;
    } while (spent < (*believed ? ENOUGH_US : ENOUGH_US + patience(samples.least_us[0])));
    const double us = t->times_longer[bucket] * snn_samples_us(&samples, AGREE_WITHIN);
    return us > 1e-3 ? 1e-3 * ceil(1e3 * us) : 1e-3;
}

/* tile_us of one thread; whether it is to be believed. */
static int time_one_thread(const timer *t, int bucket, clockid_t clock)
{
    int believed;
    snn_bucket *b = &t->plan->buckets[bucket];
    b->tile_us = time_runs(t, b->samples, bucket, 0, clock, &believed);
    estimate_others(t->plan, b);
    return believed;
}

/* Whether a time is too far from what one thread says. Threads that share a tile of few weights do take three
 * times as long: each writes lines that others have read. Waiting for a busy processor takes thousands of
 * microseconds. */
static int is_far(double us, double expected) { return us > 3.0 * expected + 20.0; }

/* Threads that share a long tile and are hardly faster than one had no processors of their own. */
static int had_none(double split_us, double one_thread_us)
{
    return one_thread_us > LONG_TILE_US && split_us > 0.8 * one_thread_us;
}

/* Both times of all threads, where they are to be believed: then 1. */
static int time_all_threads(const timer *t, int bucket, snn_bucket *timed)
{
    int agreed;
    const snn_plan *plan = t->plan;
    const snn_bucket *one = &plan->buckets[bucket];
    timed->split_us = time_runs(t, one->samples, bucket, 1, CLOCK_MONOTONIC, &agreed);
    if (!agreed || is_far(timed->split_us, one->split_us) || had_none(timed->split_us, one->tile_us))
        return 0;
    timed->tile_us = time_runs(t, one->samples * (int64_t)plan->threads, bucket, 0, CLOCK_MONOTONIC, &agreed);
    return agreed && !is_far(timed->tile_us, one->tile_us);
}

/* Times all buckets; 1 when that is to be believed. All of them have the times of one thread, or all have
 * those of all threads, since the two are not compared with each other. */
static int time_buckets(const timer *t)
{
    snn_plan *plan = t->plan;
    snn_bucket timed[SNN_MAX_BUCKETS];
    const clockid_t clock = snn_tuning_clock();
    int believed = 1;
    for (int b = 0; b < plan->bucket_count; b++)
        believed &= time_one_thread(t, b, clock);
    if (plan->threads == 1)
        return believed;
    for (int b = 0; b < plan->bucket_count; b++) {
        timed[b] = plan->buckets[b];
        if (!time_all_threads(t, b, &timed[b]))
            return 0;
    }
    memcpy(plan->buckets, timed, (size_t)plan->bucket_count * sizeof *timed);
    return 1;
}

static snn_status measure(snn_plan *plan, const char *folder)
{
    const size_t samples = (size_t)plan->buckets[plan->bucket_count - 1].samples * (size_t)plan->threads;
    timer t = {.plan = plan, .part = *plan, .workspace = snn_workspace_create(plan)};
    t.part.step_count = steps_to_time(plan);
    for (int b = 0; b < plan->bucket_count; b++)
        t.times_longer[b] =
            t.part.step_count < plan->step_count ? plan->buckets[b].tile_us / sum_of_steps(&t.part, b) : 1.0;
    t.x = snn_alloc(samples * (size_t)plan->inputs, sizeof *t.x);
    t.y = snn_alloc(samples * (size_t)plan->outputs, sizeof *t.y);
    const int ready = t.x && t.y && t.workspace;
    if (ready && time_buckets(&t) && folder)
        snn_cache_write_buckets(plan, folder);
    snn_workspace_free(t.workspace);
    snn_free(t.x);
    snn_free(t.y);
    return ready ? SNN_OK : snn_fail(SNN_ERROR_MEMORY, "out of memory for tuning");
}

snn_status snn_tune_buckets(snn_plan *plan, const char *folder)
{
    snn_bucket_estimate(plan);
    if (plan->tune != SNN_TUNE_MEASURE)
        return SNN_OK;
    const int read = folder && snn_cache_read_buckets(plan, folder);
    plan->cached = read && plan->tuned_problems == 0;
    return read ? SNN_OK : measure(plan, folder);
}
