/* Writes a model file. Tensors lie in the order of their element size, 8, 4 and 2 bytes, and the header
 * is padded to a multiple of 8, so that every tensor is aligned in a file that is mapped. */
#define _XOPEN_SOURCE 700 /* for PATH_MAX */
#include "base/file_replace.h"
#include "file/format.h"
#include "base/status.h"
#include "file/text.h"

#include <inttypes.h>
#include <string.h>

static const uint64_t element_sizes[] = {8, 4, 2};
enum { SIZE_COUNT = sizeof element_sizes / sizeof element_sizes[0] };

static const void *part_array(const snn_node *node, snn_part part)
{
    switch (part) {
    case SNN_PART_WEIGHT: return node->weight;
    case SNN_PART_DATA: return node->data;
    case SNN_PART_INDICES: return node->indices;
    case SNN_PART_INDPTR: return node->indptr;
    case SNN_PART_BIAS: return node->bias;
    case SNN_PART_COUNT: break;
    }
    return NULL;
}

/* Elements of a part that the node has. */
static int64_t part_length(const snn_node *node, snn_part part)
{
    switch (part) {
    case SNN_PART_INDPTR: return node->outputs + 1;
    case SNN_PART_BIAS: return node->outputs;
    default: return node->nnz;
    }
}

/* Calls visit for every tensor of the model, in the order of the file. */
typedef snn_status visit_part(void *context, int64_t index, const snn_node *node, snn_part part);
static snn_status for_each_part(const snn_model *model, visit_part *visit, void *context)
{
    snn_status status = SNN_OK;
    for (int s = 0; s < SIZE_COUNT; s++)
        for (int64_t i = 0; i < model->count; i++)
            for (int part = 0; part < SNN_PART_COUNT && status == SNN_OK; part++)
                if (part_array(&model->nodes[i], (snn_part)part) != NULL &&
                    snn_part_size((snn_part)part, model->nodes[i].inputs) == element_sizes[s])
                    status = visit(context, i, &model->nodes[i], (snn_part)part);
    return status;
}

static void add_node(snn_text *text, const snn_node *node)
{
    const snn_op *op = snn_op_of(node->type);
    snn_text_add(text, "{\"type\":\"%s\",\"inputs\":%" PRId64 ",\"outputs\":%" PRId64, op->name, node->inputs,
                 node->outputs);
    if (op->kind == SNN_KIND_MATRIX)
        snn_text_add(text, ",\"weight\":\"%s\",\"bias\":%s", node->sparse ? "csr" : "dense",
                     node->bias != NULL ? "true" : "false");
    for (int i = 0; i < op->attribute_count; i++) {
        snn_text_add(text, ",\"%s\":", op->attributes[i]);
        snn_text_add_float(text, node->attributes[i]);
    }
    snn_text_add(text, "}");
}

/* The oldest minor version that has all of the model's nodes: older readers can read what they know. */
static int oldest_minor(const snn_model *model)
{
    int minor = 0;
    for (int64_t i = 0; i < model->count; i++)
        if (snn_op_of(model->nodes[i].type)->minor > minor)
            minor = snn_op_of(model->nodes[i].type)->minor;
    return minor;
}

static void add_metadata(snn_text *header, const snn_model *model)
{
    snn_text nodes = {0};
    for (int64_t i = 0; i < model->count; i++) {
        snn_text_add(&nodes, i == 0 ? "[" : ",");
        add_node(&nodes, &model->nodes[i]);
    }
    snn_text_add(&nodes, "]");
    snn_text_add(header, "\"__metadata__\":{\"format\":\"%s\",\"format_version\":\"%d.%d\",\"nodes\":",
                 SNN_FORMAT_NAME, SNN_FORMAT_MAJOR, oldest_minor(model));
    if (nodes.failed)
        header->failed = 1;
    else
        snn_text_add_json(header, nodes.bytes, nodes.length);
    snn_text_add(header, "}");
    snn_text_clear(&nodes);
}

/* The header being written, and where the next tensor begins. */
typedef struct header_state {
    snn_text text;
    uint64_t offset;
} header_state;

static snn_status add_tensor(void *context, int64_t index, const snn_node *node, snn_part part)
{
    header_state *state = context;
    const int64_t count = part_length(node, part);
    const uint64_t end = state->offset + (uint64_t)count * snn_part_size(part, node->inputs);
    snn_text_add(&state->text, ",\"%" PRId64 "%s\":{\"dtype\":\"%s\",\"shape\":[", index,
                 snn_part_names[part], snn_part_dtype(part, node->inputs));
    if (part == SNN_PART_WEIGHT)
        snn_text_add(&state->text, "%" PRId64 ",%" PRId64, node->outputs, node->inputs);
    else
        snn_text_add(&state->text, "%" PRId64, count);
    snn_text_add(&state->text, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", state->offset, end);
    state->offset = end;
    return SNN_OK;
}

static snn_status make_header(const snn_model *model, snn_text *header)
{
    header_state state = {{0}, 0};
    snn_text_add(&state.text, "{");
    add_metadata(&state.text, model);
    for_each_part(model, add_tensor, &state);
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

/* Where the bytes of a model file go. */
typedef struct sink {
    snn_file_replace *file; /* NULL: memory */
    char *memory;           /* (capacity): holds as much as fits */
    size_t capacity, used;
} sink;

static snn_status put(sink *to, const void *bytes, size_t count)
{
    if (to->file)
        return snn_replace_write(to->file, bytes, count);
    if (count > SIZE_MAX - 1 - to->used)
        return snn_fail(SNN_ERROR_UNSUPPORTED, "the model file would be larger than memory");
    if (to->used < to->capacity && count > 0)
        memcpy(to->memory + to->used, bytes,
               count < to->capacity - to->used ? count : to->capacity - to->used);
    to->used += count;
    return SNN_OK;
}

static snn_status put_narrow(sink *to, const int32_t *indices, int64_t count)
{
    uint16_t narrow[2048];
    enum { CHUNK = sizeof narrow / sizeof narrow[0] };
    for (int64_t done = 0; done < count; done += CHUNK) {
        const size_t some = count - done < CHUNK ? (size_t)(count - done) : (size_t)CHUNK;
        for (size_t i = 0; i < some; i++)
            narrow[i] = (uint16_t)indices[done + (int64_t)i];
        const snn_status status = put(to, narrow, some * sizeof *narrow);
        if (status != SNN_OK)
            return status;
    }
    return SNN_OK;
}

static snn_status put_tensor(void *context, int64_t index, const snn_node *node, snn_part part)
{
    (void)index;
    const uint64_t size = snn_part_size(part, node->inputs);
    const int64_t count = part_length(node, part);
    if (part == SNN_PART_INDICES && size == sizeof(uint16_t))
        return put_narrow(context, node->indices, count);
    return put(context, part_array(node, part), (size_t)count * (size_t)size);
}

static snn_status put_model(const snn_model *model, sink *to)
{
    snn_text header = {0};
    snn_status status = make_header(model, &header);
    const uint64_t length = header.length;
    if (status == SNN_OK)
        status = put(to, &length, sizeof length);
    if (status == SNN_OK)
        status = put(to, header.bytes, header.length);
    if (status == SNN_OK)
        status = for_each_part(model, put_tensor, to);
    snn_text_clear(&header);
    return status;
}

static snn_status check_savable(const snn_model *model)
{
    if (model == NULL)
        return snn_fail(SNN_ERROR_ARGUMENT, "model must not be NULL");
    if (model->count == 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "model has no nodes: there is nothing to save");
    if (model->count > SNN_FORMAT_MAX_NODES)
        return snn_fail(SNN_ERROR_UNSUPPORTED, "model has %" PRId64 " nodes, the format has room for %d",
                        model->count, SNN_FORMAT_MAX_NODES);
    return SNN_OK;
}

static snn_status write_file(const snn_model *model, const char *path)
{
    snn_file_replace file;
    snn_status status = snn_replace_begin(path, &file);
    if (status != SNN_OK)
        return status;
    status = put_model(model, &(sink){.file = &file});
    if (status == SNN_OK)
        status = snn_replace_commit(&file);
    if (status != SNN_OK)
        snn_replace_cancel(&file);
    return status;
}

snn_status snn_model_save(const snn_model *model, const char *path)
{
    snn_status status = check_savable(model);
    if (status == SNN_OK && path == NULL)
        status = snn_fail(SNN_ERROR_ARGUMENT, "path must not be NULL");
    if (status == SNN_OK)
        status = write_file(model, path);
    if (status == SNN_ERROR_IO)
        status = snn_fail(status, "%s: %s", snn_last_error(), path);
    return status;
}

snn_status snn_model_save_memory(const snn_model *model, void *buffer, size_t capacity, size_t *needed)
{
    snn_status status = check_savable(model);
    if (status == SNN_OK && (needed == NULL || (buffer == NULL && capacity > 0)))
        status = snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", needed == NULL ? "needed" : "buffer");
    sink to = {.memory = buffer, .capacity = capacity};
    if (status == SNN_OK)
        status = put_model(model, &to);
    if (status == SNN_OK)
        *needed = to.used;
    return status;
}
