/* A plan back to the model that it computes, so that it can go where the model did not: into a pickle. */
#include "base/memory.h"
#include "base/status.h"
#include "graph/model_build.h"
#include "plan/plan.h"

#include <string.h>

static snn_status out_of_memory(void)
{
    return snn_fail(SNN_ERROR_MEMORY, "out of memory for the plan's model");
}

/* bias (outputs); NULL where all of it is 0. */
static const float *bias_of(const snn_step *step)
{
    for (int64_t r = 0; r < step->outputs; r++)
        if (step->bias[r] != 0.0f)
            return step->bias;
    return NULL;
}

static snn_status add_dense(snn_model *model, const snn_step *step, const snn_csr *csr)
{
    float *weight = snn_alloc((size_t)step->outputs * (size_t)step->inputs, sizeof *weight);
    if (!weight)
        return out_of_memory();
    for (int64_t r = 0; r < csr->rows; r++)
        for (int64_t p = csr->indptr[r]; p < csr->indptr[r + 1]; p++)
            weight[r * csr->cols + csr->indices[p]] = csr->data[p];
    const snn_status status = snn_model_add_dense(model, step->outputs, step->inputs, weight, bias_of(step));
    snn_free(weight);
    return status;
}

static snn_status add_linear(snn_model *model, int lanes, const snn_step *step)
{
    snn_csr csr;
    snn_status status;
    if (!snn_unpack(snn_single_choice(step)->packing, lanes, step->outputs, step->inputs, &csr))
        status = out_of_memory();
    else if (step->sparse)
        status =
            snn_model_add_csr(model, csr.rows, csr.cols, csr.indptr, csr.indices, csr.data, bias_of(step));
    else
        status = add_dense(model, step, &csr);
    snn_free((void *)csr.indptr);
    snn_free((void *)csr.indices);
    snn_free((void *)csr.data);
    return status;
}

snn_status snn_plan_model(const snn_plan *plan, snn_model **model)
{
    if (!plan || !model)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", plan ? "model" : "plan");
    snn_model *made;
    snn_status status = snn_model_create(plan->inputs, &made);
    if (status)
        return status;
    for (int64_t i = 0; i < plan->step_count && !status; i++) {
        const snn_step *step = &plan->steps[i];
        if (step->type == SNN_STEP_LINEAR)
            status = add_linear(made, plan->isa->lanes, step);
        if (!status && step->epilogue.activation != SNN_OP_LINEAR)
            status = snn_model_add_activation(made, (snn_node_type)step->epilogue.activation,
                                              step->epilogue.low, step->epilogue.high);
    }
    if (status)
        snn_model_free(made);
    else
        *model = made;
    return status;
}
