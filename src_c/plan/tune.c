/* Choosing the kernel of every step for every bucket: by the cost model, or by timing its best candidates.
 *
 * Every kernel adds up a row in the order of its columns, so no choice made here changes a bit of a result.
 */
#include "plan/plan.h"

#include "base/memory.h"
#include "base/status.h"

#include <float.h>
#include <stdlib.h>

#define BARRIER_US 0.8

/* ---- packings ---- */

/* The step's packing for a choice, made if there is none yet; NULL when memory is out. */
static const snn_packing *packing_for(snn_plan *plan, snn_step *step, const snn_csr *csr,
                                      const snn_choice *choice, const int64_t *bounds)
{
    const snn_kernel *kernel = choice->kernel;
    const int dense = kernel->format == SNN_FORMAT_DENSE;
    for (snn_packing *p = step->packings; p; p = p->next) {
        if (p->format != kernel->format)
            continue;
        if (dense ||
            (p->layout == kernel->layout && p->shape == kernel->shape && p->k_block == choice->k_block &&
             p->index_bytes == kernel->index_bytes && (!p->samples || p->samples == kernel->samples)))
            return p;
    }
    snn_packing *made = snn_pack(csr, plan->isa, kernel, choice->k_block, plan->threads, bounds);
    if (!made)
        return NULL;
    made->next = step->packings;
    step->packings = made;
    return made;
}

/* Frees the packings that no chosen kernel reads. */
static void drop_unused(const snn_plan *plan, snn_step *step)
{
    for (snn_packing **at = &step->packings; *at;) {
        int used = 0;
        for (int b = 0; b < plan->bucket_count; b++)
            used |= step->chosen[b].packing == *at;
        if (used) {
            at = &(*at)->next;
            continue;
        }
        snn_packing *unused = *at;
        *at = unused->next;
        snn_packing_free(unused);
    }
}

/* ---- steps ---- */

/* One thread, one tile through all shares of a step; microseconds. */
static double time_choice(const snn_step *step, const snn_choice *choice, const float *x, float *y)
{
    const double start = snn_microseconds();
    for (int share = 0; share < choice->packing->share_count; share++)
        choice->kernel->run(snn_share(choice->packing, share), x, y, step->outputs, &step->epilogue);
    return snn_microseconds() - start;
}

static int by_time(const void *a, const void *b)
{
    const double first = ((const snn_choice *)a)->measured_us, second = ((const snn_choice *)b)->measured_us;
    return (first > second) - (first < second);
}

/* Lowers measured_us to the least time of a few runs, about budget_us a candidate, and sorts by it.
 * Candidates are timed in turn, so that drift hits all of them, and several times a turn: the first run finds
 * another's data in the caches. */
static void time_candidates(const snn_step *step, snn_choice *list, int count, int runs, double budget_us,
                            const float *x, float *y)
{
    double used = 0.0; // what the runs so far would have taken undisturbed
    for (int round = 0; round < 40 && (round < 3 || used < budget_us * count); round++) {
        for (int i = 0; i < runs * count; i++) {
            snn_choice *choice = &list[i / runs];
            const double took = time_choice(step, choice, x, y);
            if (took < choice->measured_us)
                choice->measured_us = took;
            used += took < 3.0 * choice->measured_us ? took : choice->measured_us;
        }
    }
    qsort(list, (size_t)count, sizeof *list, by_time);
}

/* Times all, then longer those that came within an eighth of the best: fastest first. */
static void rank_candidates(const snn_step *step, snn_choice *list, int count, const float *x, float *y)
{
    for (int i = 0; i < count; i++)
        list[i].measured_us = DBL_MAX;
    time_candidates(step, list, count, 2, 1500.0, x, y);
    int close = 1;
    while (close < count && list[close].measured_us < 1.125 * list[0].measured_us)
        close++;
    if (close > 1)
        time_candidates(step, list, close, 3, 4000.0, x, y);
}

/* Candidates worth timing: within a factor of the best estimate. */
static int worth_timing(const snn_step *step, int bucket)
{
    const snn_choice *list = step->candidates[bucket];
    int count = 0;
    while (count < step->candidate_count[bucket] && list[count].estimate_us <= 1.6 * list[0].estimate_us)
        count++;
    return count < 6 ? count : 6;
}

static snn_status choose(snn_plan *plan, snn_step *step, const snn_csr *csr, int bucket,
                         const int64_t *bounds, const float *x, float *y)
{
    snn_choice *list = plan->cached ? &step->chosen[bucket] : step->candidates[bucket];
    const int timed = plan->tune == SNN_TUNE_MEASURE && !plan->cached ? worth_timing(step, bucket) : 1;
    for (int i = 0; i < timed; i++) {
        list[i].packing = packing_for(plan, step, csr, &list[i], bounds);
        if (!list[i].packing)
            return snn_fail(SNN_ERROR_MEMORY, "out of memory while packing node %lld", (long long)step->node);
    }
    if (plan->cached)
        return SNN_OK;
    if (timed > 1)
        rank_candidates(step, list, timed, x, y);
    step->chosen[bucket] = list[0];
    return SNN_OK;
}

snn_status snn_tune_steps(snn_plan *plan, const snn_csr *csr)
{
    const int64_t widest_tile = plan->buckets[plan->bucket_count - 1].samples;
    const size_t floats =
        ((size_t)snn_column_stride(plan->widest) + (size_t)plan->threads) * (size_t)widest_tile;
    float *x = snn_alloc(floats, sizeof *x), *y = snn_alloc(floats, sizeof *y);
    int64_t *bounds = snn_alloc((size_t)plan->threads + 1, sizeof *bounds);
    snn_status status = x && y && bounds ? SNN_OK : snn_fail(SNN_ERROR_MEMORY, "out of memory for tuning");
    for (int64_t i = 0; i < plan->step_count && !status; i++) {
        snn_step *step = &plan->steps[i];
        if (step->type != SNN_STEP_LINEAR)
            continue;
        snn_split_rows(&csr[i], plan->threads, bounds);
        for (int b = 0; b < plan->bucket_count && !status; b++) {
            status = choose(plan, step, &csr[i], b, bounds, x, y);
            if (b + 1 == plan->bucket_count || plan->buckets[b].layout != plan->buckets[b + 1].layout)
                drop_unused(plan, step);
        }
    }
    snn_free(x);
    snn_free(y);
    snn_free(bounds);
    return status;
}

/* ---- buckets ---- */

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

/* A time so far above what its parts take was disturbed by something else on the machine. */
static int disturbed(double measured, double expected) { return measured > 3.0 * expected + 20.0; }

/* Longer than this a bucket is not timed, however disturbed: beside busy processes a run that shares a tile
 * may wait for a whole slice of the scheduler at each barrier. */
#define PATIENCE_US 30000.0

/* Least time of a few runs of one tile a thread, or of one tile that all threads share; more runs while the
 * time looks disturbed. expected: from the times of the steps. */
static double time_bucket(const snn_plan *plan, snn_workspace *workspace, int bucket, int split,
                          double expected, const float *x, float *y)
{
    const int64_t batch = plan->buckets[bucket].samples * (split ? 1 : (int64_t)plan->threads);
    const double enough = expected * 4.0 > 2500.0 ? expected * 4.0 : 2500.0;
    double best = 0.0, used = 0.0, spent = 0.0; // used: what the runs so far would have taken undisturbed
    for (int round = 0; round < 40 && (round < 3 || used < enough || disturbed(best, expected)); round++) {
        if (round >= 3 && spent > enough + PATIENCE_US)
            break;
        const double start = snn_microseconds();
        snn_plan_run_bucket(plan, workspace, x, batch, y, bucket, split);
        const double took = snn_microseconds() - start;
        spent += took;
        used += took < 3.0 * expected ? took : expected;
        if (round == 0 || took < best)
            best = took;
    }
    return best;
}

snn_status snn_tune_buckets(snn_plan *plan)
{
    if (plan->cached)
        return SNN_OK;
    snn_bucket_estimate(plan);
    if (plan->tune != SNN_TUNE_MEASURE)
        return SNN_OK;
    const size_t samples = (size_t)plan->buckets[plan->bucket_count - 1].samples * (size_t)plan->threads;
    float *x = snn_alloc(samples * (size_t)plan->inputs, sizeof *x);
    float *y = snn_alloc(samples * (size_t)plan->outputs, sizeof *y);
    snn_workspace *workspace = snn_workspace_create(plan);
    const int ready = x && y && workspace;
    for (int b = 0; ready && b < plan->bucket_count; b++) {
        snn_bucket *bucket = &plan->buckets[b];
        const double tile_us = bucket->tile_us, split_us = bucket->split_us;
        const double tile_measured = time_bucket(plan, workspace, b, 0, tile_us, x, y);
        const double split_measured =
            plan->threads > 1 ? time_bucket(plan, workspace, b, 1, split_us, x, y) : tile_measured;
        plan->disturbed |= disturbed(tile_measured, tile_us) || disturbed(split_measured, split_us);
        if (!disturbed(tile_measured, tile_us))
            bucket->tile_us = tile_measured;
        if (!disturbed(split_measured, split_us))
            bucket->split_us = split_measured;
    }
    snn_workspace_free(workspace);
    snn_free(x);
    snn_free(y);
    return ready ? SNN_OK : snn_fail(SNN_ERROR_MEMORY, "out of memory for tuning");
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
