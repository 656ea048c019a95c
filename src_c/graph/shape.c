/* A model's values and nodes once more: without the weights, or for other dims. And what of a model is
 * needed. */
#include "base/memory.h"
#include "base/status.h"
#include "graph/model_build.h"
#include "graph/value.h"

#include <string.h>

/* A node without arrays. */
static snn_status copy_node(snn_model *made, const snn_model *model, const snn_node *node)
{
    snn_node bare = *node;
    bare.weight = bare.data = bare.bias = NULL;
    bare.indptr = NULL;
    bare.indices = NULL;
    bare.mapped = 0;
    const snn_value *result = &model->values[node->value];
    return snn_model_append(made, &bare, node->operands, node->operand_count, result, result->name);
}

/* A node that reads the arrays of the model, inferred anew from the operands of made. */
static snn_status infer_node(snn_model *made, const snn_model *model, const snn_node *node)
{
    snn_node bare = *node;
    bare.mapped = SNN_MAPPED_ALL;
    return snn_model_take_at(made, &bare, node->operands, node->operand_count,
                             model->values[node->value].name);
}

static snn_status copy_input(snn_model *made, const snn_value *value, const int64_t *dims)
{
    snn_value copy = *value;
    for (int i = 1; dims && i < copy.rank; i++)
        copy.dims[i] = dims[i - 1];
    return snn_model_append_input(made, &copy, value->name);
}

static snn_status copy_constant(snn_model *made, const snn_value *value, int share)
{
    snn_value copy = *value;
    copy.shared = share;
    if (share)
        return snn_model_add_value(made, &copy, value->name);
    const size_t count = (size_t)snn_value_features(value);
    copy.constant = snn_alloc(count, sizeof *copy.constant);
    if (!copy.constant)
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for a constant");
    memcpy(copy.constant, value->constant, count * sizeof *copy.constant);
    const snn_status status = snn_model_add_value(made, &copy, value->name);
    if (status)
        snn_free(copy.constant);
    return status;
}

/* All values in order, with the nodes that give them. dims: of the inputs, or NULL for those that they have.
 */
static snn_status copy_values(snn_model *made, const snn_model *model, const int64_t *const *dims, int share)
{
    snn_status status = SNN_OK;
    int64_t node = 0;
    for (int64_t v = 0; v < model->value_count && !status; v++) {
        const snn_value *value = &model->values[v];
        if (node < model->count && model->nodes[node].value == v)
            status = (dims ? infer_node : copy_node)(made, model, &model->nodes[node++]);
        else if (value->constant)
            status = copy_constant(made, value, share);
        else
            status = copy_input(made, value, dims ? dims[made->input_count] : NULL);
    }
    return status;
}

snn_status snn_model_copy(const snn_model *model, const int64_t *const *dims, int share, snn_model **copy)
{
    snn_model *made;
    snn_status status = snn_model_create_empty(model->is_graph, &made);
    if (status)
        return status;
    made->inputs = model->inputs;
    made->outputs = model->outputs;
    status = copy_values(made, model, dims, share);
    for (int64_t i = 0; i < model->output_count && !status; i++)
        status = snn_model_append_output(made, model->output_values[i].name, model->output_values[i].value);
    if (status)
        snn_model_free(made);
    else
        *copy = made;
    return status;
}

int snn_model_is_dynamic(const snn_model *model)
{
    for (int64_t i = 0; i < model->input_count; i++)
        if (snn_value_features(&model->values[model->input_values[i]]) == SNN_DYNAMIC)
            return 1;
    return 0;
}

void snn_model_count_readers(const snn_model *model, int64_t *readers)
{
    memset(readers, 0, (size_t)model->value_count * sizeof *readers);
    for (int64_t i = 0; i < model->output_count; i++)
        readers[model->output_values[i].value]++;
    for (int64_t i = model->count - 1; i >= 0; i--) {
        const snn_node *node = &model->nodes[i];
        for (int64_t k = 0; k < node->operand_count && readers[node->value]; k++)
            readers[node->operands[k]]++;
    }
}
