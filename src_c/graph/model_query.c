/* What a model is asked for. */
#include "base/status.h"
#include "graph/model.h"

#include <inttypes.h>

int64_t snn_model_inputs(const snn_model *model) { return model == NULL ? 0 : model->inputs; }
int64_t snn_model_outputs(const snn_model *model) { return model == NULL ? 0 : model->outputs; }
int64_t snn_model_node_count(const snn_model *model) { return model == NULL ? 0 : model->count; }
int snn_model_is_graph(const snn_model *model) { return model != NULL && model->is_graph; }
int64_t snn_model_value_count(const snn_model *model) { return model == NULL ? 0 : model->value_count; }
int64_t snn_model_input_count(const snn_model *model) { return model == NULL ? 0 : model->input_count; }
int64_t snn_model_output_count(const snn_model *model) { return model == NULL ? 0 : model->output_count; }

static snn_status check_index(const snn_model *model, const void *info, int64_t index, int64_t count)
{
    if (model == NULL || info == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", model == NULL ? "model" : "info");
    if (index < 0 || index >= count)
        return snn_fail(SNN_ERROR_ARGUMENT, "index must be in [0, %" PRId64 "), got %" PRId64, count, index);
    return SNN_OK;
}

snn_status snn_model_value(const snn_model *model, int64_t index, snn_value_info *info)
{
    const snn_status status = check_index(model, info, index, snn_model_value_count(model));
    if (status != SNN_OK)
        return status;
    const snn_value *value = &model->values[index];
    *info = (snn_value_info){value->name, index, (size_t)value->rank, value->dims, value->constant};
    return SNN_OK;
}

snn_status snn_model_input(const snn_model *model, int64_t index, snn_value_info *info)
{
    const snn_status status = check_index(model, info, index, snn_model_input_count(model));
    return status ? status : snn_model_value(model, model->input_values[index], info);
}

snn_status snn_model_output(const snn_model *model, int64_t index, snn_value_info *info)
{
    snn_status status = check_index(model, info, index, snn_model_output_count(model));
    if (status == SNN_OK)
        status = snn_model_value(model, model->output_values[index].value, info);
    if (status == SNN_OK)
        info->name = model->output_values[index].name;
    return status;
}

snn_status snn_model_node(const snn_model *model, int64_t index, snn_node_info *info)
{
    const snn_status status = check_index(model, info, index, snn_model_node_count(model));
    if (status != SNN_OK)
        return status;
    const snn_node *node = &model->nodes[index];
    *info = (snn_node_info){
        .type = (snn_node_type)node->type,
        .inputs = node->inputs,
        .outputs = node->outputs,
        .sparse = node->sparse,
        .nnz = node->nnz,
        .weight = node->weight,
        .indptr = node->indptr,
        .indices = node->indices,
        .data = node->data,
        .bias = node->bias,
        .low = node->attributes[0],
        .high = node->attributes[1],
    };
    return SNN_OK;
}

snn_status snn_model_edges(const snn_model *model, int64_t index, snn_node_edges *info)
{
    const snn_status status = check_index(model, info, index, snn_model_node_count(model));
    if (status != SNN_OK)
        return status;
    const snn_node *node = &model->nodes[index];
    *info = (snn_node_edges){
        .operands = node->operands,
        .operand_count = (size_t)node->operand_count,
        .value = node->value,
        .integers = node->integers,
        .integer_count = (size_t)node->integer_count,
        .rows = node->rows,
        .cols = node->cols,
    };
    return SNN_OK;
}
