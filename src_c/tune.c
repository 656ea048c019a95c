/* Choosing the kernel of every step for every bucket: by the cost model, or by timing its best candidates. */
#include "plan.h"

#include "memory.h"
#include "status.h"

#include <float.h>
#include <time.h>

#define BARRIER_US 0.8

static double microseconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

/* The step's packing for a choice, made if there is none yet; NULL when memory is out. */
static const snn_packing *packing_for(snn_plan *plan, snn_step *step, const snn_csr *csr, const snn_choice *choice,
                                      const int64_t *bounds) {
    const snn_kernel *kernel = choice->kernel;
    const int dense = kernel->format == SNN_FORMAT_DENSE;
    for (snn_packing *p = step->packings; p; p = p->next) {
        if (p->format != kernel->format) continue;
        if (dense || (p->layout == kernel->layout && p->shape == kernel->shape && p->k_block == choice->k_block)) return p;
    }
    snn_packing *made = snn_pack(csr, plan->isa, kernel, choice->k_block, plan->threads, bounds);
    if (!made) return NULL;
    made->next = step->packings;
    step->packings = made;
    return made;
}

/* Frees the packings that no chosen kernel reads. */
static void drop_unused(const snn_plan *plan, snn_step *step) {
    for (snn_packing **at = &step->packings; *at;) {
        int used = 0;
        for (int b = 0; b < plan->bucket_count; b++) used |= step->chosen[b].packing == *at;
        if (used) {
            at = &(*at)->next;
            continue;
        }
        snn_packing *unused = *at;
        *at = unused->next;
        snn_packing_free(unused);
    }
}

/* One thread, one tile through all shares of a step. */
static void run_choice(const snn_step *step, const snn_choice *choice, const float *x, float *y) {
    for (int share = 0; share < choice->packing->share_count; share++)
        choice->kernel->run(snn_share(choice->packing, share), x, y, step->outputs, &step->epilogue);
}

/* Least time of a few runs; candidates are timed in turn, so that drift hits all of them. */
static void time_candidates(const snn_step *step, snn_choice *list, int count, const float *x, float *y) {
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < count; i++) {
            const double start = microseconds_now();
            run_choice(step, &list[i], x, y);
            const double took = microseconds_now() - start;
            if (round == 1 || (round > 1 && took < list[i].measured_us)) list[i].measured_us = took;
        }
    }
}

/* Candidates worth timing: within a factor of the best estimate. */
static int worth_timing(const snn_step *step, int bucket) {
    const snn_choice *list = step->candidates[bucket];
    int count = 0;
    while (count < step->candidate_count[bucket] && list[count].estimate_us <= 1.6 * list[0].estimate_us) count++;
    return count < 6 ? count : 6;
}

static snn_status choose(snn_plan *plan, snn_step *step, const snn_csr *csr, int bucket, const int64_t *bounds,
                         const float *x, float *y) {
    snn_choice *list = step->candidates[bucket];
    const int timed = plan->tune == SNN_TUNE_MEASURE ? worth_timing(step, bucket) : 1;
    for (int i = 0; i < timed; i++) {
        list[i].packing = packing_for(plan, step, csr, &list[i], bounds);
        if (!list[i].packing) return snn_fail(SNN_ERROR_MEMORY, "out of memory while packing node %lld", (long long)step->node);
    }
    if (timed > 1) time_candidates(step, list, timed, x, y);
    int best = 0;
    for (int i = 1; i < timed; i++)
        if (list[i].measured_us < list[best].measured_us) best = i;
    step->chosen[bucket] = list[best];
    return SNN_OK;
}

/* What a tile costs in each bucket, from the times of its steps. */
static void cost_buckets(snn_plan *plan) {
    for (int b = 0; b < plan->bucket_count; b++) {
        snn_bucket *bucket = &plan->buckets[b];
        const double values = (double)(plan->inputs + plan->outputs) * bucket->samples;
        double sum = bucket->layout == SNN_LAYOUT_TILE ? values * 0.0002 : 0.0;
        for (int64_t i = 0; i < plan->step_count; i++) {
            const snn_choice *choice = &plan->steps[i].chosen[b];
            sum += choice->measured_us > 0.0 ? choice->measured_us : choice->estimate_us;
        }
        bucket->tile_us = sum;
        bucket->split_us = sum / plan->threads + BARRIER_US * (double)(plan->step_count + 2);
    }
}

snn_status snn_tune_plan(snn_plan *plan, const snn_csr *csr, const snn_plan_options *options) {
    (void)options;
    snn_bucket_init(plan);
    const int64_t widest_tile = plan->buckets[plan->bucket_count - 1].samples;
    const size_t floats = ((size_t)plan->widest + (size_t)plan->threads) * (size_t)widest_tile;
    float *x = snn_alloc(floats, sizeof *x), *y = snn_alloc(floats, sizeof *y);
    int64_t *bounds = snn_alloc((size_t)plan->threads + 1, sizeof *bounds);
    snn_status status = x && y && bounds ? SNN_OK : snn_fail(SNN_ERROR_MEMORY, "out of memory for tuning");
    for (int64_t i = 0; i < plan->step_count && !status; i++) {
        snn_step *step = &plan->steps[i];
        if (step->type != SNN_STEP_LINEAR) continue;
        snn_split_rows(&csr[i], plan->threads, bounds);
        for (int b = 0; b < plan->bucket_count && !status; b++) {
            snn_candidate_init(plan, &csr[i], b, step);
            status = choose(plan, step, &csr[i], b, bounds, x, y);
        }
        drop_unused(plan, step);
    }
    if (!status) cost_buckets(plan);
    snn_free(x);
    snn_free(y);
    snn_free(bounds);
    return status;
}
