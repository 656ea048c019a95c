/* A model's lists and what they own. A model is valid by construction: what is appended is checked first. */
#include "graph/model_build.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

static snn_status out_of_memory(const char *what)
{
    return snn_fail(SNN_ERROR_MEMORY, "no memory for %s", what);
}

/* ---- names ---- */

static snn_status check_name(const char *name)
{
    const size_t length = strlen(name);
    size_t at = 0, step = 1;
    while (at < length && step > 0 && (unsigned char)name[at] >= ' ' && name[at] != 127)
        at += step = snn_utf8_length(name + at, length - at);
    if (length < 1 || length > SNN_MAX_NAME || at < length)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "name must be 1 to %d bytes of UTF-8 without control characters, got %zu bytes",
                        SNN_MAX_NAME, length);
    return SNN_OK;
}

/* *copy: an owned copy of a name that is checked. */
static snn_status copy_name(const char *name, char **copy)
{
    const snn_status status = check_name(name);
    if (status != SNN_OK)
        return status;
    *copy = snn_alloc(strlen(name) + 1, 1);
    if (*copy == NULL)
        return out_of_memory("a name");
    memcpy(*copy, name, strlen(name));
    return SNN_OK;
}

/* ---- values ---- */

snn_status snn_model_add_value(snn_model *model, const snn_value *value, const char *name)
{
    char *copy = NULL;
    if (!snn_grow((void **)&model->values, model->value_count, &model->value_capacity, sizeof *model->values))
        return out_of_memory("the values");
    const snn_status status = name != NULL ? copy_name(name, &copy) : SNN_OK;
    if (status != SNN_OK)
        return status;
    model->values[model->value_count] = *value;
    model->values[model->value_count++].name = copy;
    return SNN_OK;
}

snn_status snn_model_append_input(snn_model *model, const snn_value *value, const char *name)
{
    if (!snn_grow((void **)&model->input_values, model->input_count, &model->input_capacity,
                  sizeof *model->input_values))
        return out_of_memory("the inputs");
    const snn_status status = snn_model_add_value(model, value, name);
    if (status == SNN_OK)
        model->input_values[model->input_count++] = model->value_count - 1;
    return status;
}

snn_status snn_model_append_output(snn_model *model, const char *name, int64_t value)
{
    char *copy;
    if (!snn_grow((void **)&model->output_values, model->output_count, &model->output_capacity,
                  sizeof *model->output_values))
        return out_of_memory("the outputs");
    const snn_status status = copy_name(name, &copy);
    if (status == SNN_OK)
        model->output_values[model->output_count++] = (snn_output){copy, value};
    return status;
}

/* ---- nodes ---- */

snn_status snn_model_borrow(snn_model *model)
{
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    model->borrows = 1;
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
    snn_free(node->operands);
}

snn_status snn_model_append(snn_model *model, const snn_node *node, const int64_t *operands, int64_t count,
                            const snn_value *result, const char *name)
{
    int64_t *copy = snn_alloc((size_t)count, sizeof *copy);
    if (copy == NULL ||
        !snn_grow((void **)&model->nodes, model->count, &model->capacity, sizeof *model->nodes)) {
        snn_free(copy);
        return out_of_memory("a node");
    }
    const snn_status status = snn_model_add_value(model, result, name);
    if (status != SNN_OK) {
        snn_free(copy);
        return status;
    }
    memcpy(copy, operands, (size_t)count * sizeof *copy);
    snn_node *made = &model->nodes[model->count++];
    *made = *node;
    made->operands = copy;
    made->operand_count = count;
    made->value = model->value_count - 1;
    return SNN_OK;
}

/* ---- models ---- */

snn_status snn_model_create_empty(int is_graph, snn_model **model)
{
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    snn_model *created = snn_alloc(1, sizeof *created);
    if (created == NULL)
        return out_of_memory("a model");
    created->is_graph = is_graph;
    *model = created;
    return SNN_OK;
}

void snn_model_free(snn_model *model)
{
    if (model == NULL)
        return;
    for (int64_t i = 0; i < model->count; i++)
        snn_node_clear(&model->nodes[i]);
    for (int64_t i = 0; i < model->value_count; i++) {
        snn_free(model->values[i].name);
        if (!model->values[i].shared)
            snn_free(model->values[i].constant);
    }
    for (int64_t i = 0; i < model->output_count; i++)
        snn_free(model->output_values[i].name);
    snn_free(model->nodes);
    snn_free(model->values);
    snn_free(model->input_values);
    snn_free(model->output_values);
    if (model->map != NULL)
        munmap(model->map, model->map_bytes);
    snn_free(model);
}
