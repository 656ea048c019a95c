/* What a tile of each bucket costs: by running tiles through the whole plan, whose layers push each other out
 * of the caches and whose threads wait for each other. */
#include "plan/problem.h"
#include "plan/samples.h"

#include "base/memory.h"
#include "base/status.h"

#include <math.h>

#define BARRIER_US 0.8
#define AGREE_WITHIN 1.08
#define ENOUGH_US 2500.0
/* Longer than this a bucket is not timed, however disturbed: beside busy processes a run that shares a tile
 * may wait for a whole slice of the scheduler at each barrier. */
#define PATIENCE_US 30000.0

void snn_bucket_estimate(snn_plan *plan)
{
    for (int b = 0; b < plan->bucket_count; b++) {
        snn_bucket *bucket = &plan->buckets[b];
        const double values = (double)(plan->inputs + plan->outputs) * bucket->samples;
        double sum = bucket->layout == SNN_LAYOUT_TILE ? values * 0.0002 : 0.0;
        for (int64_t i = 0; i < plan->step_count; i++) {
            const snn_choice *choice = &plan->steps[i].chosen[b];
            sum += choice->measured_us > 0.0 ? choice->measured_us : choice->estimate_us;
        }
        bucket->tile_us = sum;
        bucket->split_us = sum / plan->threads + BARRIER_US * (double)plan->step_count;
    }
}

/* Least time of a few runs of one tile a thread, or of one tile that all threads share; 0 when the runs do
 * not agree. expected: from the times of the steps. */
static double time_bucket(const snn_plan *plan, snn_workspace *workspace, int bucket, int split,
                          double expected, const float *x, float *y)
{
    const int64_t batch = plan->buckets[bucket].samples * (split ? 1 : (int64_t)plan->threads);
    const double enough = expected * 4.0 > ENOUGH_US ? expected * 4.0 : ENOUGH_US;
    double spent = 0.0;
    snn_samples samples;
    snn_samples_init(&samples);
    for (int round = 0; round < SNN_AGREE || spent < enough ||
                        (spent < enough + PATIENCE_US && !snn_samples_agree(&samples, AGREE_WITHIN));
         round++) {
        const double start = snn_microseconds();
        snn_plan_run_bucket(plan, workspace, x, batch, y, bucket, split);
        const double took = snn_microseconds() - start;
        spent += took;
        snn_samples_add(&samples, took);
    }
    return snn_samples_agree(&samples, AGREE_WITHIN) ? 1e-3 * ceil(1e3 * samples.least_us[0]) : 0.0;
}

/* Takes the times of all buckets; 1 when they are to be believed, else nothing is changed: measured times and
 * estimates are not compared with each other. */
static int time_buckets(snn_plan *plan, snn_workspace *workspace, const float *x, float *y)
{
    snn_bucket timed[SNN_MAX_BUCKETS];
    for (int b = 0; b < plan->bucket_count; b++) {
        timed[b] = plan->buckets[b];
        timed[b].tile_us = time_bucket(plan, workspace, b, 0, plan->buckets[b].tile_us, x, y);
        timed[b].split_us = plan->threads == 1
                                ? timed[b].tile_us
                                : time_bucket(plan, workspace, b, 1, plan->buckets[b].split_us, x, y);
        if (timed[b].tile_us == 0.0 || timed[b].split_us == 0.0)
            return 0;
    }
    for (int b = 0; b < plan->bucket_count; b++)
        plan->buckets[b] = timed[b];
    return 1;
}

static snn_status measure(snn_plan *plan, const char *folder)
{
    const size_t samples = (size_t)plan->buckets[plan->bucket_count - 1].samples * (size_t)plan->threads;
    float *x = snn_alloc(samples * (size_t)plan->inputs, sizeof *x);
    float *y = snn_alloc(samples * (size_t)plan->outputs, sizeof *y);
    snn_workspace *workspace = snn_workspace_create(plan);
    const int ready = x && y && workspace;
    if (ready && time_buckets(plan, workspace, x, y) && folder)
        snn_cache_write_buckets(plan, folder);
    snn_workspace_free(workspace);
    snn_free(x);
    snn_free(y);
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
