/* Packs every step with weights for the kernels chosen for its problem: by the cost model, or by timing its
 * best candidates, once for all steps of the problem.
 *
 * Steps are looked at and packed by all threads, a step a time; problems are timed by one thread in between.
 * Every kernel adds up a row in the order of its columns, so no choice made here changes a bit of a result.
 */
#include "plan/layer.h"
#include "plan/narrow.h"
#include "plan/problem.h"
#include "plan/stock.h"

#include "base/memory.h"
#include "base/status.h"
#include "base/threads.h"

#include <stdatomic.h>
#include <stdlib.h>

/* What tuning needs beside the plan. */
typedef struct tuner {
    snn_plan *plan;
    const snn_model *model;
    const char *folder;     /* of the cache, or NULL */
    float *x, *y, *scratch; /* for the largest step: snn_bench */
    int64_t *bounds;        /* (threads) times (threads + 1) */
    snn_look *looks;        /* (steps) of those with weights */
} tuner;

static snn_status fail_memory(const snn_step *step)
{
    return snn_fail(SNN_ERROR_MEMORY, "out of memory while packing node %lld", (long long)step->node);
}

/* Packs and times count candidates of a step in one bucket, from first on; the fastest is its choice for now.
 * Clears *believed where their samples do not agree. */
static snn_status time_some(const tuner *t, snn_step *step, const snn_csr *csr, int bucket, snn_choice *first,
                            int count, int *believed)
{
    for (int i = 0; i < count; i++)
        if (!(first[i].packing = snn_layer_pack(t->plan, step, csr, &first[i], t->bounds)))
            return fail_memory(step);
    const snn_bench bench = {t->plan, step, &t->plan->buckets[bucket], t->x, t->y, t->scratch};
    *believed &= snn_time_candidates(&bench, first, count);
    if (!step->chosen[bucket].packing || first->measured_us < step->chosen[bucket].measured_us)
        step->chosen[bucket] = *first;
    for (int i = 0; i < count; i++)
        first[i].packing = NULL;
    return SNN_OK;
}

static int by_time(const void *a, const void *b)
{
    const double first = ((const snn_choice *)a)->measured_us, second = ((const snn_choice *)b)->measured_us;
    return (first > second) - (first < second);
}

/* So many weights are packed for one candidate at a time, others for all that are timed in turn. */
#define MANY_WEIGHTS 2000000

/* Times a problem in one bucket with the weights of one step. */
static snn_status tune_bucket(const tuner *t, snn_step *step, const snn_csr *csr, snn_problem *problem,
                              int bucket)
{
    snn_tuned *tuned = &problem->buckets[bucket];
    const int at_once = step->nnz > MANY_WEIGHTS ? 1 : tuned->worth;
    int believed = 1;
    for (int first = 0; first < tuned->worth; first += at_once) {
        const snn_status status =
            time_some(t, step, csr, bucket, &tuned->candidates[first], at_once, &believed);
        if (status)
            return status;
        if (at_once < tuned->worth)
            snn_layer_drop(t->plan, step);
    }
    tuned->timed = tuned->worth;
    qsort(tuned->candidates, (size_t)tuned->timed, sizeof *tuned->candidates, by_time);
    if (t->folder && believed)
        snn_cache_write_problem(t->plan, t->folder, problem, bucket);
    return SNN_OK;
}

/* From the cache, or by timing. */
static snn_status tune_problem(tuner *t, snn_step *step, const snn_csr *csr, snn_problem *problem)
{
    snn_plan *plan = t->plan;
    snn_status status = SNN_OK;
    int tuned = 0;
    for (int b = 0; b < plan->bucket_count && !status; b++) {
        if (t->folder && snn_cache_read_problem(plan, t->folder, problem, b))
            continue;
        tuned = 1;
        status = tune_bucket(t, step, csr, problem, b);
        if (b + 1 == plan->bucket_count || plan->buckets[b].layout != plan->buckets[b + 1].layout)
            snn_layer_drop(plan, step);
    }
    plan->tuned_problems += tuned;
    return status;
}

/* The problem of a step; timed where it is new. */
static snn_status tune_step(tuner *t, snn_step *step, const snn_look *look)
{
    snn_problem *problem = snn_problem_find(t->plan, look);
    if (problem) {
        step->problem = problem;
        return SNN_OK;
    }
    snn_csr csr;
    const snn_node *node = &t->model->nodes[step->node];
    snn_status status = SNN_ERROR_MEMORY;
    if (snn_layer_view(node, &csr) && (problem = snn_problem_make(t->plan, step, &csr, look))) {
        status = SNN_OK;
        step->problem = problem;
        snn_split_rows(&csr, t->plan->threads, t->bounds);
        if (t->plan->tune == SNN_TUNE_MEASURE)
            status = tune_problem(t, step, &csr, problem);
        if (!status)
            snn_problem_choose(t->plan, problem, step->stock ? step->stock->packings : NULL);
    } else {
        fail_memory(step);
    }
    snn_layer_clear(node, &csr);
    return status;
}

/* What each step does in each bucket, as its problem says; not packed yet. */
static void choose(snn_plan *plan)
{
    for (int64_t i = 0; i < plan->step_count; i++) {
        snn_step *step = &plan->steps[i];
        for (int b = 0; b < plan->bucket_count && snn_has_weights(step); b++) {
            const snn_tuned *tuned = &step->problem->buckets[b];
            step->chosen[b] = tuned->candidates[tuned->chosen];
        }
    }
}

/* ---- all steps, by all threads ---- */

/* What is done with each step with weights; 0 when memory is out. bounds (threads + 1) to work with. */
typedef int (*visitor)(const tuner *t, int64_t step, const snn_csr *csr, int64_t *bounds);

typedef struct visit_all {
    const tuner *t;
    visitor visit;
    atomic_int_least64_t next, failed; /* a step; -1: none */
} visit_all;

static int look_at(const tuner *t, int64_t step, const snn_csr *csr, int64_t *bounds)
{
    (void)bounds;
    t->plan->steps[step].nnz = csr->indptr[csr->rows];
    return snn_look_at(t->plan->isa, &t->plan->steps[step], csr, &t->looks[step]);
}

/* Packs a step as was chosen. */
static int pack(const tuner *t, int64_t index, const snn_csr *csr, int64_t *bounds)
{
    const snn_plan *plan = t->plan;
    snn_step *step = &plan->steps[index];
    snn_split_rows(csr, plan->threads, bounds);
    for (int b = 0; b < plan->bucket_count; b++) {
        step->chosen[b].packing = snn_layer_pack(plan, step, csr, &step->chosen[b], bounds);
        if (!step->chosen[b].packing)
            return 0;
    }
    snn_layer_drop(plan, step);
    if (step->stock)
        snn_stock_take(plan, step);
    return !plan->by_sample || step->type == SNN_STEP_CONVOLUTION || snn_layer_keep(step, csr);
}

static void visit_some(void *argument, int thread, int threads)
{
    visit_all *all = argument;
    const snn_plan *plan = all->t->plan;
    int64_t *bounds = all->t->bounds + (size_t)thread * ((size_t)plan->threads + 1);
    (void)threads;
    for (int64_t i;
         atomic_load(&all->failed) < 0 && (i = atomic_fetch_add(&all->next, 1)) < plan->step_count;) {
        if (!snn_has_weights(&plan->steps[i]))
            continue;
        snn_csr csr;
        const snn_node *node = &all->t->model->nodes[plan->steps[i].node];
        if (!snn_layer_view(node, &csr) || !all->visit(all->t, i, &csr, bounds))
            atomic_store(&all->failed, i);
        snn_layer_clear(node, &csr);
    }
}

static snn_status visit_steps(const tuner *t, visitor visit)
{
    visit_all all = {.t = t, .visit = visit, .failed = -1};
    snn_parallel(t->plan->threads, visit_some, &all);
    return all.failed < 0 ? SNN_OK : fail_memory(&t->plan->steps[all.failed]);
}

/* Room for timing the largest step. 0 when memory is out. */
static int alloc_bench(tuner *t)
{
    const snn_plan *plan = t->plan;
    const int64_t widest_tile =
        plan->by_sample ? SNN_WIDEST_TILE * plan->isa->lanes : plan->buckets[plan->bucket_count - 1].samples;
    int64_t floats = (snn_column_stride(plan->widest_product) + plan->threads) * widest_tile, scratch = 0;
    if (plan->by_sample && floats < plan->widest + plan->most_spare)
        floats = plan->widest + plan->most_spare;
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        const int64_t needed =
            step->type == SNN_STEP_CONVOLUTION ? snn_convolution_scratch(plan, step, widest_tile) : 0;
        scratch = needed > scratch ? needed : scratch;
    }
    t->x = snn_alloc((size_t)floats, sizeof *t->x);
    t->y = snn_alloc((size_t)floats, sizeof *t->y);
    t->scratch = snn_alloc((size_t)scratch, sizeof *t->scratch);
    return t->x && t->y && t->scratch;
}

snn_status snn_tune_steps(snn_plan *plan, const snn_model *model, const snn_plan_options *options,
                          const char *folder)
{
    tuner t = {.plan = plan, .model = model, .folder = folder};
    const int room = alloc_bench(&t);
    t.bounds = snn_alloc((size_t)plan->threads * ((size_t)plan->threads + 1), sizeof *t.bounds);
    t.looks = snn_alloc((size_t)plan->step_count, sizeof *t.looks);
    snn_status status = room && t.bounds && t.looks ? visit_steps(&t, look_at)
                                                    : snn_fail(SNN_ERROR_MEMORY, "out of memory for tuning");
    for (int64_t i = 0; i < plan->step_count && !status; i++)
        if (snn_has_weights(&plan->steps[i]))
            status = tune_step(&t, &plan->steps[i], &t.looks[i]);
    if (!status) {
        choose(plan);
        status = snn_bucket_narrow(plan, options) ? visit_steps(&t, pack)
                                                  : snn_fail(SNN_ERROR_MEMORY, "out of memory for tuning");
    }
    snn_free(t.x);
    snn_free(t.y);
    snn_free(t.scratch);
    snn_free(t.bounds);
    snn_free(t.looks);
    return status;
}
