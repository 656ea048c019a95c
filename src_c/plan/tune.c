/* Packs every linear step for the kernels chosen for its problem: by the cost model, or by timing its best
 * candidates, once for all steps of the problem.
 *
 * Every kernel adds up a row in the order of its columns, so no choice made here changes a bit of a result.
 */
#include "plan/problem.h"

#include "base/memory.h"
#include "base/status.h"
#include "graph/model.h"

#include <stdlib.h>

/* ---- the weights of a node as CSR ---- */

/* A dense weight as CSR, zeros left out; owned arrays. Returns 0 when memory is out. */
static int csr_from_dense(const snn_node *node, snn_csr *csr)
{
    const size_t count = (size_t)node->outputs * (size_t)node->inputs;
    int64_t nnz = 0;
    for (size_t i = 0; i < count; i++)
        nnz += node->weight[i] != 0.0f;
    int64_t *indptr = snn_alloc((size_t)node->outputs + 1, sizeof *indptr);
    int32_t *indices = snn_alloc((size_t)nnz, sizeof *indices);
    float *data = snn_alloc((size_t)nnz, sizeof *data);
    *csr = (snn_csr){node->outputs, node->inputs, indptr, indices, data};
    if (!indptr || !indices || !data)
        return 0;
    int64_t at = 0;
    for (int64_t row = 0; row < node->outputs; row++) {
        const float *weight = node->weight + (size_t)row * (size_t)node->inputs;
        for (int64_t k = 0; k < node->inputs; k++) {
            if (weight[k] == 0.0f)
                continue;
            indices[at] = (int32_t)k;
            data[at++] = weight[k];
        }
        indptr[row + 1] = at;
    }
    return 1;
}

/* Borrowed from a sparse node, owned of a dense one; 0 when memory is out. */
static int view_weights(const snn_node *node, snn_csr *csr)
{
    if (!node->sparse)
        return csr_from_dense(node, csr);
    *csr = (snn_csr){node->outputs, node->inputs, node->indptr, node->indices, node->data};
    return 1;
}

static void free_view(const snn_node *node, snn_csr *csr)
{
    if (node->sparse)
        return;
    snn_free((void *)csr->indptr);
    snn_free((void *)csr->indices);
    snn_free((void *)csr->data);
}

/* ---- packings ---- */

/* What tuning needs beside the plan. */
typedef struct tuner {
    snn_plan *plan;
    const char *folder; /* of the cache, or NULL */
    float *x, *y;       /* a tile each, for the widest step */
    int64_t *bounds;    /* (threads + 1) */
} tuner;

/* The step's packing for a choice, made if there is none yet; NULL when memory is out. */
static const snn_packing *packing_for(const tuner *t, snn_step *step, const snn_csr *csr,
                                      const snn_choice *choice)
{
    const snn_kernel *kernel = choice->kernel;
    for (snn_packing *p = step->packings; p; p = p->next)
        if (snn_same_packing(p->kernel, p->k_block, kernel, choice->k_block))
            return p;
    snn_packing *made = snn_pack(csr, t->plan->isa, kernel, choice->k_block, t->plan->threads, t->bounds);
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

/* ---- problems ---- */

static snn_status fail_memory(const snn_step *step, const char *what)
{
    return snn_fail(SNN_ERROR_MEMORY, "out of memory while %s node %lld", what, (long long)step->node);
}

/* Packs and times count candidates of a step in one bucket, from first on; the fastest is its choice for now.
 * Clears *believed where their samples do not agree. */
static snn_status time_some(const tuner *t, snn_step *step, const snn_csr *csr, int bucket, snn_choice *first,
                            int count, int *believed)
{
    for (int i = 0; i < count; i++)
        if (!(first[i].packing = packing_for(t, step, csr, &first[i])))
            return fail_memory(step, "packing");
    *believed &= snn_time_candidates(step, first, count, t->x, t->y);
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
            drop_unused(t->plan, step);
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
            drop_unused(plan, step);
    }
    plan->tuned_problems += tuned;
    return status;
}

static snn_status tune_step(tuner *t, snn_step *step, const snn_csr *csr)
{
    int made;
    snn_status status = SNN_OK;
    snn_problem *problem = snn_problem_of(t->plan, step, csr, &made);
    if (!problem)
        return fail_memory(step, "looking at");
    step->problem = problem;
    step->nnz = csr->indptr[csr->rows];
    snn_split_rows(csr, t->plan->threads, t->bounds);
    if (made && t->plan->tune == SNN_TUNE_MEASURE)
        status = tune_problem(t, step, csr, problem);
    if (made && !status)
        snn_problem_choose(t->plan, problem);
    for (int b = 0; b < t->plan->bucket_count && !status; b++) {
        const snn_tuned *tuned = &problem->buckets[b];
        step->chosen[b] = tuned->candidates[tuned->chosen];
        step->chosen[b].packing = packing_for(t, step, csr, &step->chosen[b]);
        if (!step->chosen[b].packing)
            status = fail_memory(step, "packing");
    }
    drop_unused(t->plan, step);
    return status;
}

snn_status snn_tune_steps(snn_plan *plan, const snn_model *model, const char *folder)
{
    const int64_t widest_tile = plan->buckets[plan->bucket_count - 1].samples;
    const size_t floats =
        ((size_t)snn_column_stride(plan->widest) + (size_t)plan->threads) * (size_t)widest_tile;
    tuner t = {.plan = plan, .folder = folder};
    t.x = snn_alloc(floats, sizeof *t.x);
    t.y = snn_alloc(floats, sizeof *t.y);
    t.bounds = snn_alloc((size_t)plan->threads + 1, sizeof *t.bounds);
    snn_status status =
        t.x && t.y && t.bounds ? SNN_OK : snn_fail(SNN_ERROR_MEMORY, "out of memory for tuning");
    for (int64_t i = 0; i < plan->step_count && !status; i++) {
        snn_step *step = &plan->steps[i];
        if (step->type != SNN_STEP_LINEAR)
            continue;
        snn_csr csr;
        status = view_weights(&model->nodes[step->node], &csr) ? tune_step(&t, step, &csr)
                                                               : fail_memory(step, "packing");
        free_view(&model->nodes[step->node], &csr);
    }
    snn_free(t.x);
    snn_free(t.y);
    snn_free(t.bounds);
    return status;
}
