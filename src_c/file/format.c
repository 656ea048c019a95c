/* What the reader and the writer of the model file share. */
#include "file/format.h"
#include "base/memory.h"
#include "base/status.h"

const char *const snn_part_names[SNN_PART_COUNT] = {
    [SNN_PART_WEIGHT] = ".weight",
    [SNN_PART_DATA] = ".weight.data",
    [SNN_PART_INDICES] = ".weight.indices",
    [SNN_PART_INDPTR] = ".weight.indptr",
    [SNN_PART_BIAS] = ".bias",
    [SNN_PART_CONSTANT] = ".constant",
};

int snn_format_minor(int major)
{
    int newest = 0;
    for (int type = 0; type < SNN_OP_COUNT; type++) {
        const int minor = snn_op_minor(snn_op_of(type), major == SNN_FORMAT_GRAPH);
        newest = minor > newest ? minor : newest;
    }
    return newest;
}

const char *snn_part_dtype(snn_part part, int64_t inputs)
{
    switch (part) {
    case SNN_PART_INDICES: return inputs <= SNN_FORMAT_NARROW_COLS ? "U16" : "I32";
    case SNN_PART_INDPTR: return "I64";
    default: return "F32";
    }
}

uint64_t snn_part_size(snn_part part, int64_t inputs)
{
    switch (part) {
    case SNN_PART_INDICES: return inputs <= SNN_FORMAT_NARROW_COLS ? sizeof(uint16_t) : sizeof(int32_t);
    case SNN_PART_INDPTR: return sizeof(int64_t);
    default: return sizeof(float);
    }
}

int snn_part_wanted(const snn_format_node *node, snn_part part)
{
    if (node->entry != SNN_ENTRY_NODE || snn_op_of(node->node.type)->kind != SNN_KIND_MATRIX)
        return node->entry == SNN_ENTRY_CONSTANT && part == SNN_PART_CONSTANT;
    switch (part) {
    case SNN_PART_WEIGHT: return !node->node.sparse;
    case SNN_PART_BIAS: return node->has_bias;
    case SNN_PART_CONSTANT: return 0;
    default: return node->node.sparse;
    }
}

void snn_layout_clear(snn_layout *layout)
{
    for (int64_t i = 0; layout->nodes != NULL && i < layout->count; i++)
        snn_free(layout->nodes[i].name);
    for (int64_t i = 0; i < layout->output_count; i++)
        snn_free(layout->outputs[i].name);
    snn_free(layout->nodes);
    snn_free(layout->operands);
    snn_free(layout->outputs);
}

snn_status snn_json_status(const snn_json *json, const char *what)
{
    return snn_fail(SNN_ERROR_FORMAT, "%s: %s, at byte %zu of %zu", what,
                    json->error == NULL ? "not valid JSON" : json->error, json->position, json->length);
}
