/* Reads a model file: the header first, whole; then each tensor straight into its place in the model.
 * Memory stays below twice the file: a tensor is only allocated once its bytes are known to be there,
 * and U16 indices, which double, come with data of twice their size, which does not. */
#include "file/format_source.h"
#include "base/memory.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model files are little-endian and are copied byte by byte: port format_read.c and format_write.c"
#endif

enum { LENGTH_BYTES = 8 };

/* Reads indices, widening them where they are stored as U16. */
static snn_status read_indices(const snn_source *source, uint64_t offset, int64_t count, uint64_t size,
                               int32_t *indices)
{
    uint16_t narrow[2048];
    enum { CHUNK = sizeof narrow / sizeof narrow[0] };
    if (size == sizeof *indices)
        return snn_source_read(source, offset, indices, (size_t)count * sizeof *indices);
    for (int64_t done = 0; done < count; done += CHUNK) {
        const size_t some = count - done < CHUNK ? (size_t)(count - done) : (size_t)CHUNK;
        const snn_status status =
            snn_source_read(source, offset + (uint64_t)done * sizeof *narrow, narrow, some * sizeof *narrow);
        if (status != SNN_OK)
            return status;
        for (size_t i = 0; i < some; i++)
            indices[done + (int64_t)i] = narrow[i];
    }
    return SNN_OK;
}

/* Where a tensor lies in a mapped file; NULL where it has to be copied: not mapped, not aligned, or indices
 * that are stored narrower than they are held. */
static void *find_mapped(const snn_source *source, uint64_t offset, snn_part part, uint64_t size)
{
    if (!source->mapped || (part == SNN_PART_INDICES && size != sizeof(int32_t)))
        return NULL;
    const unsigned char *place = source->bytes + offset;
    return (uintptr_t)place % size == 0 ? (void *)(uintptr_t)place : NULL;
}

/* Allocates and reads one tensor, or finds it in a mapped file and sets its bit of *mapped; base is where
 * the data begins. */
static snn_status read_part(const snn_source *source, uint64_t base, const snn_format_node *from,
                            snn_part part, void **array, unsigned *mapped)
{
    const snn_span *span = &from->spans[part];
    const int indices = part == SNN_PART_INDICES;
    const uint64_t size = snn_part_size(part, from->node.inputs);
    if (!span->present)
        return SNN_OK;
    *array = find_mapped(source, base + span->begin, part, size);
    if (*array != NULL) {
        *mapped |= 1U << part;
        return SNN_OK;
    }
    void *target = span->end - span->begin > SIZE_MAX
                       ? NULL
                       : snn_alloc((size_t)span->count, indices ? sizeof(int32_t) : (size_t)size);
    if (target == NULL)
        return snn_fail(SNN_ERROR_MEMORY, "no memory for %" PRId64 " elements", span->count);
    *array = target;
    const uint64_t offset = base + span->begin;
    return indices ? read_indices(source, offset, span->count, size, target)
                   : snn_source_read(source, offset, target, (size_t)(span->count) * (size_t)size);
}

static snn_status check_csr(const snn_node *node)
{
    /* indptr alone first: it must agree with the length of indices before those are looked at. */
    if (node->indptr[node->rows] != node->nnz)
        return snn_fail(SNN_ERROR_CSR,
                        "indptr must end at the number of stored weights, %" PRId64 ", got %" PRId64,
                        node->nnz, node->indptr[node->rows]);
    return snn_csr_check(node->rows, node->cols, node->indptr, node->indices);
}

/* Reads a node's tensors; on failure node holds what was allocated so far. */
static snn_status read_node(const snn_source *source, uint64_t base, const snn_format_node *from,
                            snn_node *node)
{
    void *arrays[SNN_PART_COUNT] = {NULL};
    unsigned mapped = 0;
    snn_status status = SNN_OK;
    for (int part = 0; part < SNN_PART_COUNT && status == SNN_OK; part++)
        status = read_part(source, base, from, (snn_part)part, &arrays[part], &mapped);
    *node = from->node;
    node->mapped = mapped;
    node->weight = arrays[SNN_PART_WEIGHT];
    node->data = arrays[SNN_PART_DATA];
    node->indices = arrays[SNN_PART_INDICES];
    node->indptr = arrays[SNN_PART_INDPTR];
    node->bias = arrays[SNN_PART_BIAS];
    node->nnz = from->spans[node->sparse ? SNN_PART_DATA : SNN_PART_WEIGHT].count;
    return status == SNN_OK && node->sparse ? check_csr(node) : status;
}

/* A value of a file that the model does not take is the file's fault. */
static snn_status blame(snn_status status, const char *what, int64_t index)
{
    if (status == SNN_OK)
        return SNN_OK;
    const int is_argument = status == SNN_ERROR_ARGUMENT || status == SNN_ERROR_UNSUPPORTED;
    return snn_fail(is_argument ? SNN_ERROR_FORMAT : status, "%s %" PRId64 ": %s", what, index,
                    snn_last_error());
}

static snn_status add_node(const snn_source *source, uint64_t base, const snn_layout *layout,
                           const snn_format_node *from, snn_model *model)
{
    snn_node node;
    snn_status status = read_node(source, base, from, &node);
    if (status == SNN_OK && model->is_graph)
        status = snn_model_take_at(model, &node, layout->operands + from->first_operand, from->operand_count,
                                   from->name);
    else if (status == SNN_OK)
        status = snn_model_take(model, &node);
    if (status != SNN_OK)
        snn_node_clear(&node);
    return status;
}

static snn_status add_constant(const snn_source *source, uint64_t base, const snn_format_node *from,
                               snn_model *model)
{
    void *array = NULL;
    unsigned mapped = 0;
    int64_t value;
    const snn_source copied = {.bytes = source->bytes, .file = source->file, .size = source->size};
    snn_status status = read_part(&copied, base, from, SNN_PART_CONSTANT, &array, &mapped);
    if (status == SNN_OK)
        status = snn_model_add_constant(model, from->dims, (size_t)from->rank, array, &value);
    snn_free(array);
    return status;
}

static snn_status read_nodes(const snn_source *source, uint64_t base, const snn_layout *layout,
                             snn_model *model)
{
    for (int64_t i = 0; i < layout->count; i++) {
        const snn_format_node *from = &layout->nodes[i];
        int64_t value;
        const snn_status status =
            from->entry == SNN_ENTRY_NODE ? add_node(source, base, layout, from, model)
            : from->entry == SNN_ENTRY_CONSTANT
                ? add_constant(source, base, from, model)
                : snn_model_add_input(model, from->name, from->dims, (size_t)from->rank, &value);
        if (status != SNN_OK)
            return blame(status, "node", i);
    }
    for (int64_t i = 0; i < layout->output_count; i++) {
        const snn_output *output = &layout->outputs[i];
        const snn_status status = snn_model_add_output(model, output->name, output->value);
        if (status != SNN_OK)
            return blame(status, "output", i);
    }
    return SNN_OK;
}

/* Reads the header of the given length into layout, which the caller frees. */
static snn_status read_layout(const snn_source *source, uint64_t length, snn_layout *layout)
{
    char *text = snn_alloc((size_t)length, 1);
    if (text == NULL)
        return snn_fail(SNN_ERROR_MEMORY, "no memory for a header of %" PRIu64 " bytes", length);
    snn_status status = snn_source_read(source, LENGTH_BYTES, text, (size_t)length);
    if (status == SNN_OK && text[0] != '{')
        status = snn_fail(SNN_ERROR_FORMAT,
                          "header: wanted '{' as its first byte, so this is not a safetensors file");
    if (status == SNN_OK)
        status = snn_layout_read(text, (size_t)length, source->size - LENGTH_BYTES - length, layout);
    snn_free(text);
    return status;
}

static snn_status check_length(const snn_source *source, uint64_t *length)
{
    const uint64_t least = LENGTH_BYTES + 2;
    if (source->size < least)
        return snn_fail(SNN_ERROR_FORMAT, "the file is cut: %" PRIu64 " bytes, the least is %" PRIu64,
                        source->size, least);
    const snn_status status = snn_source_read(source, 0, length, LENGTH_BYTES);
    if (status != SNN_OK)
        return status;
    if (*length < 2 || *length > SNN_FORMAT_MAX_HEADER)
        return snn_fail(SNN_ERROR_FORMAT, "header: its length must be in [2, %d], got %" PRIu64,
                        SNN_FORMAT_MAX_HEADER, *length);
    if (*length > source->size - LENGTH_BYTES)
        return snn_fail(SNN_ERROR_FORMAT,
                        "the file is cut: its header has %" PRIu64 " bytes, but only %" PRIu64 " follow",
                        *length, source->size - LENGTH_BYTES);
    return SNN_OK;
}

snn_status snn_source_read_model(const snn_source *source, snn_model **model)
{
    uint64_t length;
    snn_layout layout = {0};
    snn_model *read = NULL;
    snn_status status = check_length(source, &length);
    if (status == SNN_OK)
        status = read_layout(source, length, &layout);
    if (status == SNN_OK)
        status = layout.major == SNN_FORMAT_GRAPH ? snn_model_create_graph(&read)
                                                  : snn_model_create(layout.nodes[0].node.inputs, &read);
    if (status == SNN_OK)
        status = read_nodes(source, LENGTH_BYTES + length, &layout, read);
    snn_layout_clear(&layout);
    if (status == SNN_OK)
        *model = read;
    else
        snn_model_free(read);
    return status;
}
