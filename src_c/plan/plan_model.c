/* A plan back to the model that it computes, so that it can go where the model did not: into a pickle. */
#include "base/lock.h"
#include "base/memory.h"
#include "base/status.h"
#include "graph/model_build.h"
#include "plan/shapes.h"

static snn_status out_of_memory(void)
{
    return snn_fail(SNN_ERROR_MEMORY, "out of memory for the plan's model");
}

/* bias (rows); NULL where all of it is 0. */
static const float *bias_of(const snn_step *step)
{
    for (int64_t r = 0; r < step->rows; r++)
        if (step->bias[r] != 0.0f)
            return step->bias;
    return NULL;
}

/* csr as a dense weight. */
static snn_status make_dense(const snn_csr *csr, const float *bias, snn_node *node)
{
    float *weight = snn_alloc((size_t)csr->rows * (size_t)csr->cols, sizeof *weight);
    if (!weight)
        return out_of_memory();
    for (int64_t r = 0; r < csr->rows; r++)
        for (int64_t p = csr->indptr[r]; p < csr->indptr[r + 1]; p++)
            weight[r * csr->cols + csr->indices[p]] = csr->data[p];
    const snn_status status = snn_node_make_dense(csr->rows, csr->cols, weight, bias, 0, node);
    snn_free(weight);
    return status;
}

static snn_status make_node(const snn_csr *csr, int sparse, const float *bias, snn_node *node)
{
    return sparse
               ? snn_node_make_csr(csr->rows, csr->cols, csr->indptr, csr->indices, csr->data, bias, 0, node)
               : make_dense(csr, bias, node);
}

/* The step's weights, borrowed or owned; 0 when memory is out. */
static int weights_of(const snn_plan *plan, const snn_step *step, snn_csr *csr)
{
    if (!step->weights)
        return snn_unpack(snn_single_choice(step)->packing, plan->isa->lanes, step->rows, step->cols, csr);
    *csr = *step->weights;
    return 1;
}

static snn_status make_weights(const snn_plan *plan, const snn_step *step, snn_node *node)
{
    snn_csr csr = {0};
    const snn_status status =
        weights_of(plan, step, &csr) ? make_node(&csr, step->sparse, bias_of(step), node) : out_of_memory();
    if (step->weights)
        return status;
    snn_free((void *)csr.indptr);
    snn_free((void *)csr.indices);
    snn_free((void *)csr.data);
    return status;
}

/* A linear node that no output needs has no step: its weights are gone, and it gets none. */
static snn_status make_empty(const snn_node *node, snn_node *made)
{
    int64_t *indptr = snn_alloc((size_t)node->rows + 1, sizeof *indptr);
    if (!indptr)
        return out_of_memory();
    const snn_status status = snn_node_make_csr(node->rows, node->cols, indptr, NULL, NULL, NULL, 0, made);
    snn_free(indptr);
    return status;
}

/* Gives the shape's linear nodes their weights. */
static snn_status fill_shape(const snn_plan *plan, snn_model *model)
{
    snn_status status = SNN_OK;
    int64_t s = 0; // steps are in the order of their nodes, but for those of no node
    for (int64_t i = 0; i < model->count && !status; i++) {
        snn_node *node = &model->nodes[i], made;
        while (s < plan->step_count && plan->steps[s].node >= 0 && plan->steps[s].node < i)
            s++;
        if (snn_op_of(node->type)->kind != SNN_KIND_MATRIX)
            continue;
        const int needed = s < plan->step_count && plan->steps[s].node == i;
        status = needed ? make_weights(plan, &plan->steps[s], &made) : make_empty(node, &made);
        if (!status)
            snn_node_set_arrays(node, made);
    }
    return status;
}

/* The same for a plan of dynamic dims, whose stocks have them. */
static snn_status fill_dynamic(const snn_plan *plan, snn_model *model)
{
    snn_status status = SNN_OK;
    snn_lock(SNN_LOCK_MAKING); // so stocks stay as they are
    for (int64_t i = 0; i < model->count && !status; i++) {
        const snn_stock *stock = &snn_shapes_stocks(plan->shapes)[i];
        snn_csr csr;
        snn_node made;
        if (!stock->csr.rows)
            continue;
        status = snn_stock_view(stock, plan->isa, &csr)
                     ? make_node(&csr, !stock->dense, plan->shape->nodes[i].bias, &made)
                     : out_of_memory();
        snn_stock_clear(stock, &csr);
        if (!status)
            snn_node_set_arrays(&model->nodes[i], made);
    }
    snn_unlock(SNN_LOCK_MAKING);
    return status;
}

snn_status snn_plan_model(const snn_plan *plan, snn_model **model)
{
    if (!plan || !model)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", plan ? "model" : "plan");
    snn_model *made;
    snn_status status = snn_model_copy(plan->shape, NULL, 0, &made);
    if (status)
        return status;
    status = plan->shapes ? fill_dynamic(plan, made) : fill_shape(plan, made);
    if (status)
        snn_model_free(made);
    else
        *model = made;
    return status;
}
