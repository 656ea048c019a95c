/* Nodes and their arrays. A model is valid by construction: what is appended is checked first. */
#include "graph/model_build.h"
#include "base/memory.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

static snn_status out_of_memory(const char *what, int64_t count)
{
    return snn_fail(SNN_ERROR_MEMORY, "no memory for %s of %" PRId64 " elements", what, count);
}

/* A copy of count elements of the given size; NULL when memory is out. count is not negative. */
static void *copy_array(const void *source, int64_t count, size_t size)
{
    if ((uint64_t)count > SIZE_MAX)
        return NULL;
    void *copy = snn_alloc((size_t)count, size);
    if (copy != NULL && count > 0)
        memcpy(copy, source, (size_t)count * size);
    return copy;
}

snn_status snn_model_create(int64_t inputs, snn_model **model)
{
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    const snn_status status = snn_width_check("inputs", inputs);
    if (status != SNN_OK)
        return status;
    snn_model *created = snn_alloc(1, sizeof *created);
    if (created == NULL)
        return out_of_memory("a model", 1);
    created->inputs = inputs;
    created->outputs = inputs;
    *model = created;
    return SNN_OK;
}

static void free_array(const snn_node *node, unsigned bit, void *array)
{
    if (!(node->mapped & bit))
        snn_free(array);
}

void snn_node_clear(snn_node *node)
{
    free_array(node, SNN_MAPPED_WEIGHT, node->weight);
    free_array(node, SNN_MAPPED_INDPTR, node->indptr);
    free_array(node, SNN_MAPPED_INDICES, node->indices);
    free_array(node, SNN_MAPPED_DATA, node->data);
    free_array(node, SNN_MAPPED_BIAS, node->bias);
}

void snn_model_free(snn_model *model)
{
    if (model == NULL)
        return;
    for (int64_t i = 0; i < model->count; i++)
        snn_node_clear(&model->nodes[i]);
    snn_free(model->nodes);
    if (model->map != NULL)
        munmap(model->map, model->map_bytes);
    snn_free(model);
}

snn_status snn_model_take(snn_model *model, const snn_node *node)
{
    if (model->count == model->capacity) {
        const int64_t capacity = model->capacity == 0 ? 8 : 2 * model->capacity;
        snn_node *nodes = snn_alloc((size_t)capacity, sizeof *nodes);
        if (nodes == NULL)
            return out_of_memory("a node list", capacity);
        if (model->count > 0)
            memcpy(nodes, model->nodes, (size_t)model->count * sizeof *nodes);
        snn_free(model->nodes);
        model->nodes = nodes;
        model->capacity = capacity;
    }
    model->nodes[model->count++] = *node;
    model->outputs = node->outputs;
    return SNN_OK;
}

/* What both kinds of linear layer must hold before their arrays are looked at. */
static snn_status check_layer(const snn_model *model, int64_t rows, int64_t cols)
{
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    snn_status status = snn_width_check("rows", rows);
    if (status == SNN_OK)
        status = snn_width_check("cols", cols);
    if (status == SNN_OK && cols != model->outputs)
        status =
            snn_fail(SNN_ERROR_ARGUMENT, "cols must be the model's output width %" PRId64 ", got %" PRId64,
                     model->outputs, cols);
    return status;
}

/* Adds the bias to a node whose weight is complete and hands it over; the node is freed on failure.
 * complete: whether all of the weight's arrays could be allocated. */
static snn_status finish_layer(snn_model *model, snn_node *node, int complete, const float *bias)
{
    if (complete && bias != NULL) {
        node->bias = copy_array(bias, node->outputs, sizeof *bias);
        complete = node->bias != NULL;
    }
    const snn_status status = complete ? snn_model_take(model, node) : out_of_memory("a layer", node->nnz);
    if (status != SNN_OK)
        snn_node_clear(node);
    return status;
}

snn_status snn_model_add_dense(snn_model *model, int64_t rows, int64_t cols, const float *weight,
                               const float *bias)
{
    const snn_status status = check_layer(model, rows, cols);
    if (status != SNN_OK)
        return status;
    if (weight == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "weight must not be NULL");
    snn_node node = {.type = SNN_OP_LINEAR, .inputs = cols, .outputs = rows, .nnz = rows * cols};
    node.weight = copy_array(weight, node.nnz, sizeof *weight);
    return finish_layer(model, &node, node.weight != NULL, bias);
}

snn_status snn_model_add_csr(snn_model *model, int64_t rows, int64_t cols, const int64_t *indptr,
                             const int32_t *indices, const float *data, const float *bias)
{
    snn_status status = check_layer(model, rows, cols);
    if (status == SNN_OK)
        status = snn_csr_check(rows, cols, indptr, indices);
    if (status != SNN_OK)
        return status;
    const int64_t nnz = indptr[rows];
    if (data == NULL && nnz > 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "data must not be NULL with %" PRId64 " stored weights", nnz);
    snn_node node = {.type = SNN_OP_LINEAR, .inputs = cols, .outputs = rows, .sparse = 1, .nnz = nnz};
    node.indptr = copy_array(indptr, rows + 1, sizeof *indptr);
    node.indices = copy_array(indices, nnz, sizeof *indices);
    node.data = copy_array(data, nnz, sizeof *data);
    const int complete = node.indptr != NULL && node.indices != NULL && node.data != NULL;
    return finish_layer(model, &node, complete, bias);
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

snn_status snn_model_add_activation(snn_model *model, snn_node_type type, float low, float high)
{
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    const snn_op *op = snn_op_of(type);
    if (op == NULL || op->kind == SNN_KIND_MATRIX)
        return snn_fail(SNN_ERROR_ARGUMENT, "type must be an activation, %d to %d, got %d", SNN_OP_RELU,
                        SNN_OP_COUNT - 1, (int)type);
    const float attributes[SNN_MAX_ATTRIBUTES] = {low, high};
    return add_op(model, op, attributes);
}

snn_status snn_model_add_op(snn_model *model, const char *name, const float *attributes, size_t count)
{
    if (model == NULL || name == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", model ? "op" : "model");
    const snn_op *op = snn_op_find(name);
    if (op == NULL || op->kind == SNN_KIND_MATRIX)
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

int64_t snn_model_inputs(const snn_model *model) { return model == NULL ? 0 : model->inputs; }

int64_t snn_model_outputs(const snn_model *model) { return model == NULL ? 0 : model->outputs; }

int64_t snn_model_node_count(const snn_model *model) { return model == NULL ? 0 : model->count; }

snn_status snn_model_node(const snn_model *model, int64_t index, snn_node_info *info)
{
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    if (info == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "info must not be NULL");
    if (index < 0 || index >= model->count)
        return snn_fail(SNN_ERROR_ARGUMENT, "index must be in [0, %" PRId64 "), got %" PRId64, model->count,
                        index);
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
