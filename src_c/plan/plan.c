/* model -> plan: steps with fused activations, packed weights, chosen kernels. */
#include "plan/problem.h"

#include "base/memory.h"
#include "graph/model.h"
#include "base/status.h"
#include "base/threads.h"

#include <stdlib.h>
#include <string.h>

/* ---- steps ---- */

/* What follows a matrix product value by value. */
static snn_epilogue epilogue_of(const snn_node *node, const float *bias)
{
    return (snn_epilogue){bias, node->type, node->attributes[0], node->attributes[1]};
}

/* Fills a step from node index, an activation after a linear node fused into it. Returns the number of nodes
 * taken, 0 when memory is out. */
static int64_t make_step(const snn_model *model, int64_t index, int shares, snn_step *step)
{
    const snn_node *node = &model->nodes[index];
    step->node = index;
    step->inputs = node->inputs;
    step->outputs = node->outputs;
    const snn_op_kind kind = snn_op_of(node->type)->kind;
    if (kind != SNN_KIND_MATRIX) {
        step->type = kind == SNN_KIND_SOFTMAX ? SNN_STEP_SOFTMAX : SNN_STEP_ACTIVATE;
        step->epilogue = epilogue_of(node, NULL);
        return 1;
    }
    step->type = SNN_STEP_LINEAR;
    step->sparse = node->sparse;
    step->bias = snn_alloc((size_t)(node->outputs + shares + SNN_DENSE_ROWS), sizeof *step->bias);
    if (!step->bias)
        return 0;
    if (node->bias)
        memcpy(step->bias, node->bias, (size_t)node->outputs * sizeof *node->bias);
    const snn_node *after = index + 1 < model->count ? &model->nodes[index + 1] : NULL;
    const int fused = after && snn_op_of(after->type)->kind == SNN_KIND_POINTWISE;
    step->epilogue = fused ? epilogue_of(after, step->bias) : (snn_epilogue){.bias = step->bias};
    return 1 + fused;
}

static snn_status make_steps(snn_plan *plan, const snn_model *model)
{
    int64_t index = 0;
    plan->widest = model->inputs;
    while (index < model->count) {
        snn_step *step = &plan->steps[plan->step_count];
        const int64_t taken = make_step(model, index, plan->threads, step);
        plan->step_count++;
        if (!taken)
            return snn_fail(SNN_ERROR_MEMORY, "out of memory while packing node %lld", (long long)index);
        step->input_buffer = (int)((plan->step_count - 1) % 2);
        step->output_buffer = 1 - step->input_buffer;
        if (step->outputs > plan->widest)
            plan->widest = step->outputs;
        index += taken;
    }
    return SNN_OK;
}

/* Buckets, and what each step does in each: from the cache of the options, or anew. */
static snn_status choose_kernels(snn_plan *plan, const snn_model *model, const snn_plan_options *options)
{
    const char *folder = plan->tune == SNN_TUNE_MEASURE ? options->cache_path : NULL;
    snn_bucket_init(plan, options);
    const snn_status status = snn_tune_steps(plan, model, folder);
    return status ? status : snn_tune_buckets(plan, folder);
}

/* ---- public ---- */

static snn_status check_options(const snn_plan_options *options)
{
    if (options->threads < 0 || options->threads > SNN_MAX_THREADS)
        return snn_fail(SNN_ERROR_ARGUMENT, "threads must be in [0, %d], got %d", SNN_MAX_THREADS,
                        options->threads);
    if ((int)options->tune < SNN_TUNE_MEASURE || (int)options->tune > SNN_TUNE_OFF)
        return snn_fail(SNN_ERROR_ARGUMENT, "tune must be an snn_tune, got %d", (int)options->tune);
    for (size_t i = 0; options->batch_sizes && i < options->batch_size_count; i++)
        if (options->batch_sizes[i] < 1)
            return snn_fail(SNN_ERROR_ARGUMENT, "batch_sizes[%zu] must be at least 1, got %lld", i,
                            (long long)options->batch_sizes[i]);
    return SNN_OK;
}

snn_status snn_plan_create(const snn_model *model, const snn_plan_options *options, snn_plan **out)
{
    const snn_plan_options defaults = {0};
    const double start = snn_microseconds();
    if (!model || !out)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", model ? "plan" : "model");
    if (!options)
        options = &defaults;
    if (model->count == 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must have at least one node, got none");
    snn_status status = check_options(options);
    if (status)
        return status;
    const snn_isa *isa = NULL;
    status = snn_isa_find(options->isa, &isa);
    if (status)
        return status;

    snn_plan *plan = snn_alloc(1, sizeof *plan);
    if (plan) {
        plan->isa = isa;
        plan->threads = options->threads ? options->threads : snn_threads_default();
        plan->inputs = model->inputs;
        plan->outputs = model->outputs;
        plan->tune = options->tune;
        plan->steps = snn_alloc((size_t)model->count, sizeof *plan->steps);
        plan->pool = snn_alloc(SNN_POOL, sizeof *plan->pool);
        plan->crowd = snn_alloc(1, sizeof *plan->crowd);
    }
    if (!plan || !plan->steps || !plan->pool || !plan->crowd)
        status = snn_fail(SNN_ERROR_MEMORY, "out of memory for a plan");
    if (!status)
        status = make_steps(plan, model);
    if (!status)
        status = choose_kernels(plan, model, options);
    if (!status && !snn_schedule_init(plan))
        status = snn_fail(SNN_ERROR_MEMORY, "out of memory for a plan");
    if (status) {
        snn_plan_free(plan);
        return status;
    }
    plan->peak_gflops = snn_measure_peak(isa);
    plan->compile_seconds = 1e-6 * (snn_microseconds() - start);
    *out = plan;
    return SNN_OK;
}

void snn_plan_free(snn_plan *plan)
{
    if (!plan)
        return;
    for (int64_t i = 0; plan->steps && i < plan->step_count; i++) {
        snn_free(plan->steps[i].bias);
        for (snn_packing *packing = plan->steps[i].packings, *next; packing; packing = next) {
            next = packing->next;
            snn_packing_free(packing);
        }
    }
    for (int i = 0; plan->pool && i < SNN_POOL; i++)
        snn_workspace_free(atomic_load(&plan->pool[i]));
    snn_free((void *)plan->pool);
    snn_free(plan->crowd);
    snn_free(plan->steps);
    snn_problems_free(plan->problems);
    snn_free(plan->table);
    snn_free(plan);
}

int64_t snn_plan_inputs(const snn_plan *plan) { return plan ? plan->inputs : 0; }
int64_t snn_plan_outputs(const snn_plan *plan) { return plan ? plan->outputs : 0; }
int snn_plan_threads(const snn_plan *plan) { return plan ? plan->threads : 0; }
const char *snn_plan_isa(const snn_plan *plan) { return plan ? plan->isa->name : ""; }
