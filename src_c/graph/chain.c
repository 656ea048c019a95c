/* Building a chain: each node takes what the one before gives. */
#include "base/status.h"
#include "graph/model_build.h"

#include <inttypes.h>
#include <string.h>

snn_status snn_model_create(int64_t inputs, snn_model **model)
{
    snn_model *made;
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    snn_status status = snn_width_check("inputs", inputs);
    if (status == SNN_OK)
        status = snn_model_create_empty(0, &made);
    if (status != SNN_OK)
        return status;
    made->inputs = made->outputs = inputs;
    status = snn_model_append_input(made, &(snn_value){.rank = 2, .dims = {SNN_DYNAMIC, inputs}}, "input");
    if (status == SNN_OK)
        status = snn_model_append_output(made, "output", 0);
    if (status == SNN_OK)
        *model = made;
    else
        snn_model_free(made);
    return status;
}

snn_status snn_model_take(snn_model *model, const snn_node *node)
{
    const snn_value result = {.rank = 2, .dims = {SNN_DYNAMIC, node->outputs}};
    const int64_t operand = model->value_count - 1;
    const snn_status status = snn_model_append(model, node, &operand, 1, &result, NULL);
    if (status == SNN_OK) {
        model->outputs = node->outputs;
        model->output_values[0].value = model->value_count - 1;
    }
    return status;
}

/* Whether a node may be appended. */
static snn_status check_chain(const snn_model *model)
{
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    if (model->is_graph)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must be a chain; a graph takes snn_model_add_node");
    return SNN_OK;
}

/* Whether a layer of so many columns may be appended; those out of range are looked at later. */
static snn_status check_columns(const snn_model *model, int64_t cols)
{
    const snn_status status = check_chain(model);
    if (status == SNN_OK && cols != model->outputs && snn_width_check("cols", cols) == SNN_OK)
        return snn_fail(SNN_ERROR_ARGUMENT, "cols must be the model's output width %" PRId64 ", got %" PRId64,
                        model->outputs, cols);
    return status;
}

/* Appends a linear node that was made with status; its arrays are freed on failure. */
static snn_status add_linear(snn_model *model, snn_status status, snn_node *node)
{
    if (status != SNN_OK)
        return status;
    status = snn_model_take(model, node);
    if (status != SNN_OK)
        snn_node_clear(node);
    return status;
}

snn_status snn_model_add_dense(snn_model *model, int64_t rows, int64_t cols, const float *weight,
                               const float *bias)
{
    snn_node node;
    const snn_status status = check_columns(model, cols);
    return status ? status
                  : add_linear(model, snn_node_make_dense(rows, cols, weight, bias, model->borrows, &node),
                               &node);
}

snn_status snn_model_add_csr(snn_model *model, int64_t rows, int64_t cols, const int64_t *indptr,
                             const int32_t *indices, const float *data, const float *bias)
{
    snn_node node;
    const snn_status status = check_columns(model, cols);
    return status
               ? status
               : add_linear(model,
                            snn_node_make_csr(rows, cols, indptr, indices, data, bias, model->borrows, &node),
                            &node);
}

/* Appends an op without weights; attributes (op->attribute_count). */
static snn_status add_op(snn_model *model, const snn_op *op, const float *attributes)
{
    const snn_status status = snn_op_check(op, attributes);
    if (status != SNN_OK)
        return status;
    snn_node node = {.type = op->type, .inputs = model->outputs, .outputs = model->outputs};
    memcpy(node.attributes, attributes, (size_t)op->attribute_count * sizeof *attributes);
    return snn_model_take(model, &node);
}

/* Ops that a chain may have beside linear. */
static int is_activation(const snn_op *op)
{
    return op != NULL && !op->is_graph && op->kind != SNN_KIND_MATRIX;
}

snn_status snn_model_add_activation(snn_model *model, snn_node_type type, float low, float high)
{
    const snn_status status = check_chain(model);
    if (status != SNN_OK)
        return status;
    const snn_op *op = snn_op_of(type);
    if (!is_activation(op))
        return snn_fail(SNN_ERROR_ARGUMENT, "type must be an activation, %d to %d, got %d", SNN_OP_RELU,
                        SNN_OP_SILU, (int)type);
    const float attributes[SNN_MAX_ATTRIBUTES] = {low, high};
    return add_op(model, op, attributes);
}

snn_status snn_model_add_op(snn_model *model, const char *name, const float *attributes, size_t count)
{
    const snn_status status = check_chain(model);
    if (status != SNN_OK)
        return status;
    if (name == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "op must not be NULL");
    const snn_op *op = snn_op_find(name);
    if (!is_activation(op))
        return snn_fail(SNN_ERROR_ARGUMENT, "op must be the name of an op without weights, got \"%.40s\"",
                        name);
    if (count != (size_t)op->attribute_count)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s has %d attributes, got %zu", op->name, op->attribute_count,
                        count);
    if (attributes == NULL && count > 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "attributes must not be NULL, %s has %zu", op->name, count);
    const float none[SNN_MAX_ATTRIBUTES] = {0};
    return add_op(model, op, count ? attributes : none);
}
