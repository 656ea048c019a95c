/* Building a graph: nodes over values that came before. */
#include "base/memory.h"
#include "base/status.h"
#include "graph/model_build.h"
#include "graph/value.h"

#include <inttypes.h>
#include <string.h>

snn_status snn_model_create_graph(snn_model **model) { return snn_model_create_empty(1, model); }

static snn_status check_graph(const snn_model *model)
{
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    if (!model->is_graph)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must be a graph, made by snn_model_create_graph");
    return SNN_OK;
}

/* ---- inputs, constants, outputs ---- */

/* The dims of a caller, which are those behind the batch. */
static snn_status read_dims(const char *what, const int64_t *dims, size_t count, snn_value *value)
{
    if (dims == NULL && count > 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "dims must not be NULL");
    if (count > SNN_MAX_RANK - 1)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: at most %d dims behind the batch, got %zu", what,
                        SNN_MAX_RANK - 1, count);
    value->rank = (int)count + 1;
    for (size_t i = 0; i < count; i++)
        value->dims[i + 1] = dims[i];
    return snn_dims_check(what, value);
}

snn_status snn_model_add_input(snn_model *model, const char *name, const int64_t *dims, size_t count,
                               int64_t *value)
{
    snn_value made = {.dims = {SNN_DYNAMIC}};
    snn_status status = check_graph(model);
    if (status == SNN_OK && (name == NULL || value == NULL))
        status = snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", name == NULL ? "name" : "value");
    if (status == SNN_OK)
        status = read_dims("input", dims, count, &made);
    for (int64_t i = 0; status == SNN_OK && i < model->input_count; i++)
        if (strcmp(model->values[model->input_values[i]].name, name) == 0)
            status = snn_fail(SNN_ERROR_ARGUMENT, "name: there is an input of that name, \"%.60s\"", name);
    if (status == SNN_OK)
        status = snn_model_append_input(model, &made, name);
    if (status != SNN_OK)
        return status;
    if (model->input_count == 1)
        model->inputs = snn_value_features(&made);
    *value = model->value_count - 1;
    return SNN_OK;
}

snn_status snn_model_add_constant(snn_model *model, const int64_t *dims, size_t count, const float *data,
                                  int64_t *value)
{
    snn_value made = {.dims = {1}};
    snn_status status = check_graph(model);
    if (status == SNN_OK && (data == NULL || value == NULL))
        status = snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", data == NULL ? "data" : "value");
    if (status == SNN_OK)
        status = read_dims("constant", dims, count, &made);
    const int64_t features = status == SNN_OK ? snn_value_features(&made) : 0;
    if (status == SNN_OK && features == SNN_DYNAMIC)
        status = snn_fail(SNN_ERROR_ARGUMENT, "constant: dims must be fixed");
    if (status != SNN_OK)
        return status;
    made.constant = snn_alloc((size_t)features, sizeof *made.constant);
    if (made.constant == NULL)
        return snn_fail(SNN_ERROR_MEMORY, "no memory for a constant of %" PRId64 " elements", features);
    memcpy(made.constant, data, (size_t)features * sizeof *data);
    status = snn_model_add_value(model, &made, NULL);
    if (status != SNN_OK)
        snn_free(made.constant);
    else
        *value = model->value_count - 1;
    return status;
}

snn_status snn_model_add_output(snn_model *model, const char *name, int64_t value)
{
    snn_status status = check_graph(model);
    if (status == SNN_OK && name == NULL)
        status = snn_fail(SNN_ERROR_ARGUMENT, "name must not be NULL");
    if (status == SNN_OK && (value < 0 || value >= model->value_count || model->values[value].constant))
        status = snn_fail(SNN_ERROR_ARGUMENT,
                          "value must be one of the model's %" PRId64 ", and no constant, got %" PRId64,
                          model->value_count, value);
    for (int64_t i = 0; status == SNN_OK && i < model->output_count; i++)
        if (strcmp(model->output_values[i].name, name) == 0)
            status = snn_fail(SNN_ERROR_ARGUMENT, "name: there is an output of that name, \"%.60s\"", name);
    if (status == SNN_OK)
        status = snn_model_append_output(model, name, value);
    if (status == SNN_OK && model->output_count == 1)
        model->outputs = snn_value_features(&model->values[value]);
    return status;
}

/* ---- nodes ---- */

static snn_status check_counts(const snn_op *op, const snn_node *node, int64_t operand_count)
{
    const int64_t least = op->least_operands ? op->least_operands : 1;
    const int64_t most = op->most_operands ? op->most_operands : 1;
    if (operand_count < least || operand_count > most)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: takes %" PRId64 "%s operands, got %" PRId64, op->name, least,
                        most > least ? " or more" : "", operand_count);
    if (!op->takes_list && node->integer_count != op->integer_count)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: has %d whole numbers, got %d", op->name, op->integer_count,
                        node->integer_count);
    return SNN_OK;
}

/* values (count): the operands themselves. */
static snn_status find_operands(const snn_model *model, const snn_op *op, const int64_t *operands,
                                int64_t count, const snn_value **values)
{
    int constant = 1;
    for (int64_t i = 0; i < count; i++) {
        if (operands[i] < 0 || operands[i] >= model->value_count)
            return snn_fail(SNN_ERROR_ARGUMENT,
                            "%s: operand %" PRId64 " must be one of the %" PRId64
                            " values before, got %" PRId64,
                            op->name, i, model->value_count, operands[i]);
        values[i] = &model->values[operands[i]];
        constant &= values[i]->constant != NULL;
    }
    if (constant)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: an operand at least must be no constant", op->name);
    return SNN_OK;
}

/* Completes a node whose op is known, from the values of its operands. */
static snn_status infer_node(const snn_op *op, snn_node *node, const snn_value *const *values,
                             snn_value *result)
{
    snn_status status = snn_op_check(op, node->attributes);
    *result = (snn_value){.rank = values[0]->rank};
    memcpy(result->dims, values[0]->dims, sizeof result->dims);
    if (status == SNN_OK && op->infer)
        status = op->infer(node, values, result);
    result->dims[0] = SNN_DYNAMIC;
    if (status == SNN_OK)
        status = snn_dims_check(op->name, result);
    node->inputs = snn_value_features(values[0]);
    node->outputs = snn_value_features(result);
    return status;
}

snn_status snn_model_take_at(snn_model *model, const snn_node *node, const int64_t *operands, int64_t count,
                             const char *name)
{
    const snn_op *op = snn_op_of(node->type);
    snn_node made = *node;
    made.operand_count = count;
    snn_value result;
    snn_status status = check_counts(op, node, count);
    if (status != SNN_OK)
        return status;
    const snn_value **values = snn_alloc((size_t)count, sizeof *values);
    if (values == NULL)
        return snn_fail(SNN_ERROR_MEMORY, "no memory for a node of %" PRId64 " operands", count);
    status = find_operands(model, op, operands, count, values);
    if (status == SNN_OK)
        status = infer_node(op, &made, values, &result);
    snn_free(values);
    return status == SNN_OK ? snn_model_append(model, &made, operands, count, &result, name) : status;
}

/* The weights of a specification as a node. */
static snn_status make_weights(const snn_op *op, const snn_node_spec *spec, int borrow, snn_node *node)
{
    if ((spec->weight != NULL) == (spec->indptr != NULL))
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: takes a weight, or indptr, indices and data", op->name);
    if (spec->weight != NULL)
        return snn_node_make_dense(spec->rows, spec->cols, spec->weight, spec->bias, borrow, node);
    return snn_node_make_csr(spec->rows, spec->cols, spec->indptr, spec->indices, spec->data, spec->bias,
                             borrow, node);
}

static snn_status make_node(const snn_op *op, const snn_node_spec *spec, int borrow, snn_node *node)
{
    const int most = op->takes_list ? SNN_MAX_RANK : SNN_MAX_INTEGERS;
    if (op->kind != SNN_KIND_MATRIX && (spec->weight != NULL || spec->indptr != NULL || spec->bias != NULL))
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: has no weights", op->name);
    if (spec->attribute_count != (size_t)op->attribute_count || spec->integer_count > (size_t)most)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "%s: has %d attributes and at most %d whole numbers, got %zu and %zu", op->name,
                        op->attribute_count, most, spec->attribute_count, spec->integer_count);
    *node = (snn_node){0};
    const snn_status status = op->kind == SNN_KIND_MATRIX ? make_weights(op, spec, borrow, node) : SNN_OK;
    if (status != SNN_OK)
        return status;
    node->type = op->type;
    node->integer_count = (int)spec->integer_count;
    for (size_t i = 0; i < spec->attribute_count; i++)
        node->attributes[i] = spec->attributes[i];
    for (size_t i = 0; i < spec->integer_count; i++)
        node->integers[i] = spec->integers[i];
    return SNN_OK;
}

/* Whether the arrays of a specification are there. */
static snn_status check_spec(const snn_node_spec *spec)
{
    const char *missing = spec == NULL                                    ? "spec"
                          : spec->op == NULL                              ? "op"
                          : spec->operand_count && !spec->operands        ? "operands"
                          : spec->attribute_count && !spec->attributes    ? "attributes"
                          : spec->integer_count && spec->integers == NULL ? "integers"
                                                                          : NULL;
    return missing ? snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", missing) : SNN_OK;
}

snn_status snn_model_add_node(snn_model *model, const snn_node_spec *spec, int64_t *value)
{
    snn_node node;
    snn_status status = check_graph(model);
    if (status == SNN_OK && value == NULL)
        status = snn_fail(SNN_ERROR_ARGUMENT, "value must not be NULL");
    if (status == SNN_OK)
        status = check_spec(spec);
    if (status != SNN_OK)
        return status;
    const snn_op *op = snn_op_find(spec->op);
    if (op == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "op must be the name of an op, got \"%.40s\"", spec->op);
    status = make_node(op, spec, model->borrows, &node);
    if (status != SNN_OK)
        return status;
    status = snn_model_take_at(model, &node, spec->operands, (int64_t)spec->operand_count, spec->name);
    if (status != SNN_OK)
        snn_node_clear(&node);
    else
        *value = model->value_count - 1;
    return status;
}
