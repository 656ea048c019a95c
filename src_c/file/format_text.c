/* The header of a model file. Tensors lie in the order of their element size, 8, 4 and 2 bytes, and the
 * header is padded to a multiple of 8, so that every tensor is aligned in a file that is mapped. */
#include "file/format_text.h"
#include "base/status.h"
#include "graph/value.h"

#include <inttypes.h>
#include <string.h>

static const uint64_t element_sizes[] = {8, 4, 2};
enum { SIZE_COUNT = sizeof element_sizes / sizeof element_sizes[0] };

/* ---- tensors ---- */

static const void *part_array(const snn_node *node, snn_part part)
{
    switch (part) {
    case SNN_PART_WEIGHT: return node->weight;
    case SNN_PART_DATA: return node->data;
    case SNN_PART_INDICES: return node->indices;
    case SNN_PART_INDPTR: return node->indptr;
    case SNN_PART_BIAS: return node->bias;
    default: return NULL;
    }
}

/* Elements of a part that the node has. */
static int64_t part_length(const snn_node *node, snn_part part)
{
    switch (part) {
    case SNN_PART_INDPTR: return node->rows + 1;
    case SNN_PART_BIAS: return node->rows;
    default: return node->nnz;
    }
}

static snn_status visit_node(const snn_node *node, int64_t entry, uint64_t size, snn_visit_tensor *visit,
                             void *context)
{
    snn_status status = SNN_OK;
    for (int i = 0; i < SNN_PART_COUNT && status == SNN_OK; i++) {
        const snn_part part = (snn_part)i;
        const void *array = part_array(node, part);
        if (array == NULL || snn_part_size(part, node->cols) != size)
            continue;
        status = visit(context, &(snn_tensor){.entry = entry,
                                              .part = part,
                                              .node = node,
                                              .array = array,
                                              .count = part_length(node, part),
                                              .size = size});
    }
    return status;
}

static snn_status visit_constant(const snn_value *value, int64_t entry, uint64_t size,
                                 snn_visit_tensor *visit, void *context)
{
    if (size != sizeof *value->constant)
        return SNN_OK;
    return visit(context, &(snn_tensor){.entry = entry,
                                        .part = SNN_PART_CONSTANT,
                                        .constant = value,
                                        .array = value->constant,
                                        .count = snn_value_features(value),
                                        .size = size});
}

int64_t snn_entry_count(const snn_model *model)
{
    return model->is_graph ? model->value_count : model->count;
}

/* The node that gives an entry; NULL for an input or a constant. next: the first node not yet met. */
static const snn_node *entry_node(const snn_model *model, int64_t entry, int64_t next)
{
    if (!model->is_graph)
        return &model->nodes[entry];
    return next < model->count && model->nodes[next].value == entry ? &model->nodes[next] : NULL;
}

snn_status snn_each_tensor(const snn_model *model, snn_visit_tensor *visit, void *context)
{
    snn_status status = SNN_OK;
    for (int s = 0; s < SIZE_COUNT; s++) {
        int64_t next = 0;
        for (int64_t i = 0; i < snn_entry_count(model) && status == SNN_OK; i++) {
            const snn_node *node = entry_node(model, i, next);
            next += node != NULL;
            if (node != NULL)
                status = visit_node(node, i, element_sizes[s], visit, context);
            else if (model->values[i].constant != NULL)
                status = visit_constant(&model->values[i], i, element_sizes[s], visit, context);
        }
    }
    return status;
}

/* ---- the node list ---- */

static void add_number(snn_text *text, int64_t number)
{
    if (number == SNN_DYNAMIC)
        snn_text_add(text, "null");
    else
        snn_text_add(text, "%" PRId64, number);
}

static void add_list(snn_text *text, const int64_t *numbers, int64_t count)
{
    snn_text_add(text, "[");
    for (int64_t i = 0; i < count; i++) {
        snn_text_add(text, i ? "," : "");
        add_number(text, numbers[i]);
    }
    snn_text_add(text, "]");
}

static void add_name(snn_text *text, const char *name)
{
    if (name == NULL)
        return;
    snn_text_add(text, ",\"name\":");
    snn_text_add_json(text, name, strlen(name));
}

static void add_attributes(snn_text *text, const snn_op *op, const snn_node *node)
{
    for (int i = 0; i < op->attribute_count; i++) {
        snn_text_add(text, ",\"%s\":", op->attributes[i]);
        snn_text_add_float(text, node->attributes[i]);
    }
    for (int i = 0; i < op->integer_count; i++) {
        snn_text_add(text, ",\"%s\":", op->integers[i]);
        if (op->takes_list)
            add_list(text, node->integers, node->integer_count);
        else if (op->takes_negative)
            snn_text_add(text, "%" PRId64, node->integers[i]);
        else
            add_number(text, node->integers[i]);
    }
}

static void add_node(snn_text *text, const snn_model *model, const snn_node *node)
{
    const snn_op *op = snn_op_of(node->type);
    const int is_matrix = op->kind == SNN_KIND_MATRIX;
    snn_text_add(text, "{\"type\":\"%s\"", op->name);
    if (model->is_graph) {
        snn_text_add(text, ",\"operands\":");
        add_list(text, node->operands, node->operand_count);
        add_name(text, model->values[node->value].name);
    }
    if (is_matrix || !model->is_graph)
        snn_text_add(text, ",\"inputs\":%" PRId64 ",\"outputs\":%" PRId64,
                     is_matrix ? node->cols : node->inputs, is_matrix ? node->rows : node->outputs);
    if (is_matrix)
        snn_text_add(text, ",\"weight\":\"%s\",\"bias\":%s", node->sparse ? "csr" : "dense",
                     node->bias != NULL ? "true" : "false");
    add_attributes(text, op, node);
    snn_text_add(text, "}");
}

static void add_value(snn_text *text, const snn_value *value)
{
    snn_text_add(text, "{\"type\":\"%s\"", value->constant ? "constant" : "input");
    if (!value->constant)
        add_name(text, value->name);
    snn_text_add(text, ",\"dims\":");
    add_list(text, value->dims + 1, value->rank - 1);
    snn_text_add(text, "}");
}

static void add_nodes(snn_text *text, const snn_model *model)
{
    int64_t next = 0;
    for (int64_t i = 0; i < snn_entry_count(model); i++) {
        const snn_node *node = entry_node(model, i, next);
        next += node != NULL;
        snn_text_add(text, i == 0 ? "[" : ",");
        if (node != NULL)
            add_node(text, model, node);
        else
            add_value(text, &model->values[i]);
    }
    snn_text_add(text, "]");
}

static void add_outputs(snn_text *text, const snn_model *model)
{
    for (int64_t i = 0; i < model->output_count; i++) {
        snn_text_add(text, "%s{\"value\":%" PRId64, i == 0 ? "[" : ",", model->output_values[i].value);
        add_name(text, model->output_values[i].name);
        snn_text_add(text, "}");
    }
    snn_text_add(text, "]");
}

/* ---- the header ---- */

/* A list as text within the metadata. */
static void add_quoted(snn_text *header, const char *key, const snn_model *model,
                       void (*add)(snn_text *, const snn_model *))
{
    snn_text list = {0};
    add(&list, model);
    snn_text_add(header, ",\"%s\":", key);
    if (list.failed)
        header->failed = 1;
    else
        snn_text_add_json(header, list.bytes, list.length);
    snn_text_clear(&list);
}

/* The oldest minor version that has all of the model's nodes: older readers can read what they know. */
static int oldest_minor(const snn_model *model)
{
    int oldest = 0;
    for (int64_t i = 0; i < model->count; i++) {
        const int minor = snn_node_minor(&model->nodes[i], model->is_graph);
        oldest = minor > oldest ? minor : oldest;
    }
    return oldest;
}

static void add_metadata(snn_text *header, const snn_model *model)
{
    snn_text_add(header, "\"__metadata__\":{\"format\":\"%s\",\"format_version\":\"%d.%d\"", SNN_FORMAT_NAME,
                 model->is_graph ? SNN_FORMAT_GRAPH : SNN_FORMAT_CHAIN, oldest_minor(model));
    add_quoted(header, "nodes", model, add_nodes);
    if (model->is_graph)
        add_quoted(header, "outputs", model, add_outputs);
    snn_text_add(header, "}");
}

/* The header being written, and where the next tensor begins. */
typedef struct header_state {
    snn_text text;
    uint64_t offset;
} header_state;

static snn_status add_tensor(void *context, const snn_tensor *tensor)
{
    header_state *state = context;
    const uint64_t end = state->offset + (uint64_t)tensor->count * tensor->size;
    const int64_t cols = tensor->node ? tensor->node->cols : 0;
    snn_text_add(&state->text, ",\"%" PRId64 "%s\":{\"dtype\":\"%s\",\"shape\":", tensor->entry,
                 snn_part_names[tensor->part], snn_part_dtype(tensor->part, cols));
    if (tensor->constant)
        add_list(&state->text, tensor->constant->dims + 1, tensor->constant->rank - 1);
    else if (tensor->part == SNN_PART_WEIGHT)
        add_list(&state->text, (const int64_t[]){tensor->node->rows, cols}, 2);
    else
        add_list(&state->text, &tensor->count, 1);
    snn_text_add(&state->text, ",\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", state->offset, end);
    state->offset = end;
    return SNN_OK;
}

snn_status snn_header_write(const snn_model *model, snn_text *header)
{
    header_state state = {{0}, 0};
    snn_text_add(&state.text, "{");
    add_metadata(&state.text, model);
    snn_each_tensor(model, add_tensor, &state);
    snn_text_add(&state.text, "}");
    while (!state.text.failed && state.text.length % 8 != 0)
        snn_text_add(&state.text, " ");
    *header = state.text;
    if (header->failed)
        return snn_fail(SNN_ERROR_MEMORY, "no memory for the header");
    if (header->length > SNN_FORMAT_MAX_HEADER)
        return snn_fail(SNN_ERROR_UNSUPPORTED, "the header would have %zu bytes, the format has room for %d",
                        header->length, SNN_FORMAT_MAX_HEADER);
    return SNN_OK;
}
