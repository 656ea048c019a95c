/* What the reader and the writer of the model file share. */
#include "file/format.h"
#include "base/status.h"

const char *const snn_part_names[SNN_PART_COUNT] = {
    [SNN_PART_WEIGHT] = ".weight",
    [SNN_PART_DATA] = ".weight.data",
    [SNN_PART_INDICES] = ".weight.indices",
    [SNN_PART_INDPTR] = ".weight.indptr",
    [SNN_PART_BIAS] = ".bias",
};

int snn_format_minor(void)
{
    int newest = 0;
    for (int type = 0; type < SNN_OP_COUNT; type++)
        if (snn_op_of(type)->minor > newest)
            newest = snn_op_of(type)->minor;
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

int snn_part_wanted(snn_part part, int sparse, int has_bias)
{
    switch (part) {
    case SNN_PART_WEIGHT: return !sparse;
    case SNN_PART_BIAS: return has_bias;
    default: return sparse;
    }
}

snn_status snn_json_status(const snn_json *json, const char *what)
{
    return snn_fail(SNN_ERROR_FORMAT, "%s: %s, at byte %zu of %zu", what,
                    json->error == NULL ? "not valid JSON" : json->error, json->position, json->length);
}
