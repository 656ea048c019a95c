/* model -> plan: steps with fused activations, packed weights, chosen kernels. */
#include "plan/fold.h"
#include "plan/problem.h"
#include "plan/shapes.h"
#include "plan/step.h"
#include "plan/stock.h"

#include "base/memory.h"
#include "graph/model_build.h"
#include "base/status.h"
#include "base/threads.h"

#include <stdlib.h>
#include <string.h>

/* Buckets, and what each step does in each: from the cache of the options, or anew. */
static snn_status choose_kernels(snn_plan *plan, const snn_model *model, const snn_plan_options *options)
{
    const char *folder = plan->tune == SNN_TUNE_MEASURE ? options->cache_path : NULL;
    snn_bucket_init(plan, options);
    const snn_status status = snn_tune_steps(plan, model, options, folder);
    if (status)
        return status;
    snn_recurrent_choose(plan);
    snn_plan_set_scratch(plan);
    return snn_tune_buckets(plan, folder);
}

/* ---- public ---- */

static snn_status check_options(const snn_plan_options *options)
{
    if (options->threads < 0 || options->threads > SNN_MAX_THREADS)
        return snn_fail(SNN_ERROR_ARGUMENT, "threads must be in [0, %d], got %d", SNN_MAX_THREADS,
                        options->threads);
    if ((int)options->tune < SNN_TUNE_MEASURE || (int)options->tune > SNN_TUNE_OFF)
        return snn_fail(SNN_ERROR_ARGUMENT, "tune must be an snn_tune, got %d", (int)options->tune);
    if (options->kept_shapes < 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "kept_shapes must be at least 0, got %d", options->kept_shapes);
    for (size_t i = 0; options->batch_sizes && i < options->batch_size_count; i++)
        if (options->batch_sizes[i] < 1)
            return snn_fail(SNN_ERROR_ARGUMENT, "batch_sizes[%zu] must be at least 1, got %lld", i,
                            (long long)options->batch_sizes[i]);
    return SNN_OK;
}

/* What a plan of any kind has. NULL when memory is out. */
static snn_plan *begin(const snn_isa *isa, const snn_plan_options *options, const snn_plan *root)
{
    snn_plan *plan = snn_alloc(1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->isa = isa;
    plan->threads = options->threads ? options->threads : snn_threads_default();
    plan->tune = options->tune;
    plan->special = root != NULL;
    plan->pool = root ? root->pool : snn_alloc(SNN_POOL, sizeof *plan->pool);
    plan->crowd = snn_alloc(1, sizeof *plan->crowd);
    if (plan->pool && plan->crowd)
        return plan;
    snn_plan_free(plan);
    return NULL;
}

static snn_status out_of_memory(void) { return snn_fail(SNN_ERROR_MEMORY, "out of memory for a plan"); }

snn_status snn_plan_make(const snn_model *model, const snn_isa *isa, const snn_plan_options *options,
                         const snn_plan *root, snn_plan **out)
{
    const double start = snn_microseconds();
    snn_plan *plan = begin(isa, options, root);
    if (!plan)
        return out_of_memory();
    plan->stocks = root ? snn_shapes_stocks(root->shapes) : NULL;
    snn_status status = snn_lower(model, plan);
    if (!status)
        status = choose_kernels(plan, model, options);
    if (!status && !snn_schedule_init(plan))
        status = out_of_memory();
    if (status) {
        snn_plan_free(plan);
        return status;
    }
    plan->peak_gflops = root ? root->peak_gflops : snn_measure_peak(isa);
    plan->compile_seconds = 1e-6 * (snn_microseconds() - start);
    *out = plan;
    return SNN_OK;
}

/* A plan that makes others as it meets shapes. */
static snn_status make_dynamic(const snn_model *model, const snn_isa *isa, const snn_plan_options *options,
                               snn_plan **out)
{
    const double start = snn_microseconds();
    snn_plan *plan = begin(isa, options, NULL);
    if (!plan)
        return out_of_memory();
    const snn_status status = snn_shapes_create(model, options, plan);
    if (status) {
        snn_plan_free(plan);
        return status;
    }
    plan->in_count = model->input_count;
    plan->out_count = model->output_count;
    plan->peak_gflops = snn_measure_peak(isa);
    plan->compile_seconds = 1e-6 * (snn_microseconds() - start);
    *out = plan;
    return SNN_OK;
}

snn_status snn_plan_create(const snn_model *model, const snn_plan_options *options, snn_plan **out)
{
    const snn_plan_options defaults = {0};
    if (!model || !out)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", model ? "plan" : "model");
    if (!options)
        options = &defaults;
    if (model->count == 0 || model->output_count == 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must have at least one %s, got none",
                        model->count == 0 ? "node" : "output");
    const snn_isa *isa = NULL;
    snn_model *folded = NULL;
    snn_status status = check_options(options);
    if (!status)
        status = snn_isa_find(options->isa, &isa);
    if (!status)
        status = snn_fold_norms(model, &folded);
    if (status)
        return status;
    const snn_model *lowered = folded ? folded : model;
    status = snn_model_is_dynamic(lowered) ? make_dynamic(lowered, isa, options, out)
                                           : snn_plan_make(lowered, isa, options, NULL, out);
    snn_model_free(folded);
    return status;
}

void snn_plan_free(snn_plan *plan)
{
    if (!plan)
        return;
    snn_shapes_free(plan->shapes);
    for (int64_t i = 0; plan->steps && i < plan->step_count; i++) {
        if (plan->steps[i].stock)
            snn_stock_leave(plan, &plan->steps[i]);
        snn_step_free(&plan->steps[i]);
    }
    for (int i = 0; plan->pool && !plan->special && i < SNN_POOL; i++)
        snn_workspace_free(atomic_load(&plan->pool[i]));
    if (!plan->special)
        snn_free((void *)plan->pool);
    snn_free(plan->crowd);
    snn_free(plan->steps);
    snn_free(plan->ports_in);
    snn_free(plan->ports_out);
    snn_model_free(plan->shape);
    snn_problems_free(plan->problems);
    snn_free(plan->table);
    snn_free(plan);
}

int64_t snn_plan_inputs(const snn_plan *plan) { return plan ? snn_model_inputs(plan->shape) : 0; }
int64_t snn_plan_outputs(const snn_plan *plan) { return plan ? snn_model_outputs(plan->shape) : 0; }
int64_t snn_plan_input_count(const snn_plan *plan) { return plan ? plan->in_count : 0; }
int64_t snn_plan_output_count(const snn_plan *plan) { return plan ? plan->out_count : 0; }

static snn_status check_plan(const snn_plan *plan)
{
    return plan ? SNN_OK : snn_fail(SNN_ERROR_ARGUMENT, "plan must not be NULL");
}

snn_status snn_plan_input(const snn_plan *plan, int64_t index, snn_value_info *info)
{
    const snn_status status = check_plan(plan);
    return status ? status : snn_model_input(plan->shape, index, info);
}

snn_status snn_plan_output(const snn_plan *plan, int64_t index, snn_value_info *info)
{
    const snn_status status = check_plan(plan);
    return status ? status : snn_model_output(plan->shape, index, info);
}

int snn_plan_threads(const snn_plan *plan) { return plan ? plan->threads : 0; }
const char *snn_plan_isa(const snn_plan *plan) { return plan ? plan->isa->name : ""; }
