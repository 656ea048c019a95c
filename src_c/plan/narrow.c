/* Which tile shapes a plan packs its weights for: all of them, or, where that takes too much memory, those
 * that the batches it is made for use. Every shape has a packing of its own of a large layer, so a plan of
 * four shapes holds its weights four times. */
#include "plan/narrow.h"

#include "plan/problem.h"

#include "base/memory.h"

#include <string.h>

/* In all shapes together; a plan of less keeps them all. */
#define PACKED_BYTES ((double)((size_t)64 << 20))
/* A stored weight with its index and some padding. */
#define ENTRY_BYTES 6.0

/* Whether a bucket before this one reads the packing that a step has in it. */
static int shared(const snn_step *step, int bucket)
{
    const snn_choice *choice = &step->chosen[bucket];
    for (int b = 0; b < bucket; b++)
        if (snn_same_packing(step->chosen[b].kernel, step->chosen[b].k_block, choice->kernel,
                             choice->k_block))
            return 1;
    return 0;
}

static double packed_bytes(const snn_plan *plan)
{
    double bytes = 0.0;
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        for (int b = 0; b < plan->bucket_count && snn_has_weights(step); b++)
            if (!shared(step, b))
                bytes += step->chosen[b].kernel->format == SNN_FORMAT_DENSE
                             ? (double)step->rows * (double)step->cols * sizeof(float)
                             : (double)step->nnz * ENTRY_BYTES;
    }
    return bytes;
}

/* Marks the buckets that a batch is cut into. */
static void mark(const snn_plan *plan, int64_t batch, int *used)
{
    snn_segment segments[SNN_MAX_SEGMENTS];
    const int count = snn_schedule(plan, batch, segments);
    for (int i = 0; i < count; i++)
        used[segments[i].bucket] = 1;
}

/* Takes the buckets that are not used out of the plan, its steps and its problems. */
static void drop_unused(snn_plan *plan, const int *used)
{
    int left = 0;
    for (int b = 0; b < plan->bucket_count; b++) {
        if (!used[b])
            continue;
        plan->buckets[left] = plan->buckets[b];
        for (int64_t i = 0; i < plan->step_count; i++)
            plan->steps[i].chosen[left] = plan->steps[i].chosen[b];
        for (snn_problem *p = plan->problems; p && left < b; p = p->next)
            p->buckets[left] = p->buckets[b];
        left++;
    }
    plan->bucket_count = left;
}

int snn_bucket_narrow(snn_plan *plan, const snn_plan_options *options)
{
    static const int64_t defaults[] = {1, 64};
    const int64_t *batches = options->batch_sizes ? options->batch_sizes : defaults;
    const size_t count = options->batch_sizes ? options->batch_size_count : 2;
    if (plan->bucket_count == 1 || packed_bytes(plan) <= PACKED_BYTES)
        return 1;
    snn_bucket_estimate(plan);
    if (!snn_schedule_init(plan))
        return 0;
    int used[SNN_MAX_BUCKETS] = {1}; // single samples: exact.c reads them
    for (size_t i = 0; i < count; i++)
        mark(plan, batches[i], used);
    snn_free(plan->table);
    plan->table = NULL;
    drop_unused(plan, used);
    return 1;
}
