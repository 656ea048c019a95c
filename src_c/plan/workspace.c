/* The buffers of one run of a plan: a pool of idle ones, so that run allocates nothing. */
#include "base/memory.h"
#include "base/minmax.h"
#include "base/status.h"
#include "plan/band.h"
#include "plan/depthwise.h"
#include "plan/product.h"
#include "plan/sequence.h"
#include "plan/shapes.h"
#include "plan/step.h"

static int largest_tile(const snn_plan *plan)
{
    int samples = 1;
    for (int b = 0; b < plan->bucket_count; b++)
        if (plan->buckets[b].samples > samples)
            samples = plan->buckets[b].samples;
    return samples;
}

void snn_plan_set_scratch(snn_plan *plan)
{
    int64_t most = 0;
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        int64_t floats = 0;
        if (step->type == SNN_STEP_POOL)
            floats = snn_pool_scratch(step, plan->isa->lanes);
        else if (step->type == SNN_STEP_CONVOLUTION)
            floats = snn_convolution_scratch(plan, step,
                                             snn_max(step->chosen[0].kernel->samples, plan->isa->lanes));
        else if (step->type == SNN_STEP_DEPTHWISE)
            floats = snn_depthwise_scratch(step, plan->isa);
        else if (step->type == SNN_STEP_PRODUCT)
            floats = snn_product_scratch(plan->isa);
        else if (step->type == SNN_STEP_ATTENTION)
            floats = snn_attention_scratch(plan->isa, step);
        else if (step->type == SNN_STEP_MOVE && step->product_step)
            floats = snn_sequence_scratch(plan, step, largest_tile(plan));
        most = floats > most ? floats : most;
    }
    plan->buffers_at = (size_t)snn_column_stride(most);
    plan->scratch_floats = plan->buffers_at + (size_t)snn_column_stride(snn_band_scratch(plan));
}

snn_extent snn_plan_extent(const snn_plan *plan)
{
    // A row is a cache line at least, so that values begin on one; by sample the values' rows are whole
    // lines.
    const int samples = largest_tile(plan);
    snn_extent e = {.row_floats = plan->by_sample ? 1 : samples > 16 ? (size_t)samples : 16};
    const size_t widest = plan->by_sample ? (size_t)samples : e.row_floats;
    e.scratch_at = ((size_t)plan->arena_rows * widest + 15) / 16 * 16;
    e.arena_floats = e.scratch_at + plan->scratch_floats;
    e.turns_at = (size_t)plan->threads * e.arena_floats + (size_t)plan->input_rows * widest;
    e.turns = plan->by_sample && plan->threads > 1 ? (size_t)plan->step_count * (size_t)plan->threads : 0;
    e.arrivals_at = (e.turns_at + 2 * e.turns + 15) / 16 * 16;
    e.arrivals = plan->by_sample && plan->threads > 1 ? (size_t)plan->threads : 0;
    e.floats = e.arrivals_at + e.arrivals * sizeof(snn_arrival) / sizeof(float);
    return e;
}

/* Lays a workspace out for a plan, with more memory where it has too little. 0 when memory is out. */
static int fit(const snn_plan *plan, snn_workspace *workspace)
{
    workspace->extent = snn_plan_extent(plan);
    const size_t floats = workspace->extent.floats;
    if (workspace->memory && floats <= workspace->floats)
        return 1;
    snn_free(workspace->memory);
    workspace->memory = snn_alloc(floats, sizeof(float));
    workspace->floats = floats;
    return workspace->memory != NULL;
}

snn_workspace *snn_workspace_create(const snn_plan *plan)
{
    snn_workspace *workspace = snn_alloc(1, sizeof *workspace);
    if (!workspace)
        return NULL;
    workspace->x = snn_alloc((size_t)plan->in_count, sizeof *workspace->x);
    workspace->y = snn_alloc((size_t)plan->out_count, sizeof *workspace->y);
    if (!fit(plan, workspace) || !workspace->x || !workspace->y) {
        snn_workspace_free(workspace);
        return NULL;
    }
    return workspace;
}

void snn_workspace_free(snn_workspace *workspace)
{
    if (!workspace)
        return;
    snn_free(workspace->memory);
    snn_free((void *)workspace->x);
    snn_free((void *)workspace->y);
    snn_free(workspace);
}

snn_workspace *snn_workspace_take(const snn_plan *plan)
{
    for (int i = 0; i < SNN_POOL; i++) {
        if (!atomic_load_explicit(&plan->pool[i], memory_order_relaxed))
            continue;
        snn_workspace *idle = atomic_exchange(&plan->pool[i], NULL);
        if (!idle)
            continue;
        if (!plan->special || fit(plan, idle)) // else it is of the shape that ran in it last
            return idle;
        snn_workspace_free(idle);
        return NULL;
    }
    return snn_workspace_create(plan);
}

void snn_workspace_return(const snn_plan *plan, snn_workspace *workspace)
{
    for (int i = 0; i < SNN_POOL; i++) {
        snn_workspace *empty = NULL;
        if (atomic_compare_exchange_strong(&plan->pool[i], &empty, workspace))
            return;
    }
    snn_workspace_free(workspace);
}

/* Idle workspaces, and the first place without one (SNN_POOL when all are taken). */
static int count_idle(const snn_plan *plan, int *empty)
{
    int idle = 0;
    *empty = SNN_POOL;
    for (int i = SNN_POOL - 1; i >= 0; i--) {
        if (atomic_load(&plan->pool[i]) != NULL)
            idle++;
        else
            *empty = i;
    }
    return idle;
}

snn_status snn_plan_reserve(const snn_plan *plan, int callers)
{
    if (plan == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "plan must not be NULL");
    if (callers < 1 || callers > SNN_POOL)
        return snn_fail(SNN_ERROR_ARGUMENT, "callers must be in [1, %d], got %d", SNN_POOL, callers);
    if (plan->shapes)
        return snn_shapes_reserve(plan, callers);
    return snn_workspace_reserve(plan, callers);
}

/* Lays the idle ones out for a specialisation. 0 when memory is out. */
static int fit_idle(const snn_plan *plan)
{
    for (int i = 0; i < SNN_POOL; i++) {
        snn_workspace *idle = atomic_exchange(&plan->pool[i], NULL);
        const int fits = !idle || fit(plan, idle);
        if (idle && fits)
            snn_workspace_return(plan, idle);
        if (!fits) {
            snn_workspace_free(idle);
            return 0;
        }
    }
    return 1;
}

snn_status snn_workspace_reserve(const snn_plan *plan, int callers)
{
    int place;
    if (plan->special && !fit_idle(plan))
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for the workspaces of %d callers", callers);
    while (count_idle(plan, &place) < callers && place < SNN_POOL) {
        snn_workspace *made = snn_workspace_create(plan);
        if (made == NULL)
            return snn_fail(SNN_ERROR_MEMORY, "out of memory for the workspaces of %d callers", callers);
        /* Another thread may have returned its own to that place meanwhile. */
        snn_workspace *empty = NULL;
        if (!atomic_compare_exchange_strong(&plan->pool[place], &empty, made))
            snn_workspace_free(made);
    }
    return SNN_OK;
}
