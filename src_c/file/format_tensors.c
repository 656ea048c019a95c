/* The tensors of a model file's header: each one wanted, of the right dtype and shape, in its place. */
#include "file/format.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_RANK = SNN_MAX_RANK };

/* A tensor's object as read. */
typedef struct raw_tensor {
    int has_dtype, has_shape, has_offsets;
    snn_json_string dtype;
    int64_t shape[MAX_RANK];
    int rank;
    int64_t offsets[2];
} raw_tensor;

/* Reads an array of whole numbers; limit: how many values holds. Returns their number, or -1. */
static int read_numbers(snn_json *json, int64_t *values, int limit, const char *excess)
{
    int count = 0;
    snn_json_open(json, '[');
    while (snn_json_next_item(json)) {
        if (count == limit)
            snn_json_fail(json, excess);
        else
            snn_json_read_whole(json, &values[count++]);
    }
    return json->error == NULL ? count : -1;
}

static snn_status read_object(snn_json *json, const char *name, raw_tensor *raw)
{
    snn_json_string key;
    *raw = (raw_tensor){0};
    snn_json_open(json, '{');
    while (snn_json_next_key(json, &key)) {
        int *seen;
        if (snn_json_equals(key, "dtype")) {
            seen = &raw->has_dtype;
            snn_json_read_string(json, &raw->dtype);
        } else if (snn_json_equals(key, "shape")) {
            seen = &raw->has_shape;
            raw->rank = read_numbers(json, raw->shape, MAX_RANK, "a shape of more than 8 dimensions");
        } else if (snn_json_equals(key, "data_offsets")) {
            seen = &raw->has_offsets;
            if (read_numbers(json, raw->offsets, 2, "data_offsets of more than 2 numbers") < 2)
                snn_json_fail(json, "data_offsets of fewer than 2 numbers");
        } else {
            return snn_fail(SNN_ERROR_FORMAT, "tensor %s: unknown key \"%s\"", name, snn_json_show(key).text);
        }
        if ((*seen)++)
            return snn_fail(SNN_ERROR_FORMAT, "tensor %s: key \"%s\" stands twice", name,
                            snn_json_show(key).text);
    }
    if (json->error != NULL)
        return snn_json_status(json, "header");
    if (!raw->has_dtype || !raw->has_shape || !raw->has_offsets)
        return snn_fail(SNN_ERROR_FORMAT, "tensor %s: no key \"%s\"", name,
                        !raw->has_dtype   ? "dtype"
                        : !raw->has_shape ? "shape"
                                          : "data_offsets");
    return SNN_OK;
}

/* Splits "12.bias" into 12 and its part; 0 where the name is not of that kind. */
static int split_name(const char *name, int64_t *index, snn_part *part)
{
    int digits = 0;
    *index = 0;
    for (; name[digits] >= '0' && name[digits] <= '9'; digits++)
        if (digits < 9)
            *index = 10 * *index + (name[digits] - '0');
    if (digits == 0 || digits > 9 || (digits > 1 && name[0] == '0'))
        return 0;
    for (int i = 0; i < SNN_PART_COUNT; i++)
        if (strcmp(name + digits, snn_part_names[i]) == 0) {
            *part = (snn_part)i;
            return 1;
        }
    return 0;
}

static snn_status check_constant(const char *name, const raw_tensor *raw, const snn_format_node *target)
{
    int same = raw->rank == target->rank;
    for (int i = 0; same && i < raw->rank; i++)
        same = raw->shape[i] == target->dims[i];
    return same ? SNN_OK
                : snn_fail(SNN_ERROR_FORMAT, "tensor %s: shape must be the dims of its constant", name);
}

static snn_status check_shape(const char *name, const raw_tensor *raw, snn_part part,
                              const snn_format_node *target)
{
    const snn_node *node = &target->node;
    if (part == SNN_PART_CONSTANT)
        return check_constant(name, raw, target);
    const int64_t rows = part == SNN_PART_INDPTR ? node->rows + 1 : node->rows;
    const int rank = part == SNN_PART_WEIGHT ? 2 : 1;
    if (raw->rank != rank)
        return snn_fail(SNN_ERROR_FORMAT, "tensor %s: shape must have %d dimension(s), got %d", name, rank,
                        raw->rank);
    if (part == SNN_PART_DATA || part == SNN_PART_INDICES)
        return SNN_OK;
    if (raw->shape[0] != rows)
        return snn_fail(SNN_ERROR_FORMAT, "tensor %s: shape[0] must be %" PRId64 ", got %" PRId64, name, rows,
                        raw->shape[0]);
    if (rank == 2 && raw->shape[1] != node->cols)
        return snn_fail(SNN_ERROR_FORMAT, "tensor %s: shape[1] must be %" PRId64 ", got %" PRId64, name,
                        node->cols, raw->shape[1]);
    return SNN_OK;
}

/* Checks a tensor against its node and notes where it lies. */
static snn_status place(const char *name, const raw_tensor *raw, snn_part part, snn_format_node *target)
{
    const snn_node *node = &target->node;
    const char *dtype = snn_part_dtype(part, node->cols);
    if (!snn_json_equals(raw->dtype, dtype))
        return snn_fail(SNN_ERROR_FORMAT, "tensor %s: dtype must be %s, got \"%s\"", name, dtype,
                        snn_json_show(raw->dtype).text);
    const snn_status status = check_shape(name, raw, part, target);
    if (status != SNN_OK)
        return status;
    /* The first factor is below 2^60; of a weight and of a constant they are checked: all together below
     * 2^62. */
    uint64_t count = 1;
    for (int i = 0; i < raw->rank; i++)
        count *= (uint64_t)raw->shape[i];
    const uint64_t size = snn_part_size(part, node->cols);
    if (raw->offsets[1] < raw->offsets[0])
        return snn_fail(SNN_ERROR_FORMAT,
                        "tensor %s: data_offsets end at %" PRId64 ", before their begin %" PRId64, name,
                        raw->offsets[1], raw->offsets[0]);
    const uint64_t bytes = (uint64_t)(raw->offsets[1] - raw->offsets[0]);
    if (count > UINT64_MAX / size || bytes != count * size)
        return snn_fail(SNN_ERROR_FORMAT,
                        "tensor %s: data_offsets hold %" PRIu64 " bytes, its shape and dtype want %" PRIu64
                        " elements of %" PRIu64,
                        name, bytes, count, size);
    target->spans[part] = (snn_span){(uint64_t)raw->offsets[0], (uint64_t)raw->offsets[1], (int64_t)count, 1};
    return SNN_OK;
}

static snn_status read_tensor(snn_json *json, snn_json_string key, snn_layout *layout)
{
    char name[SNN_JSON_MAX_KEY + 1] = "";
    snn_json_decode(key, name);
    raw_tensor raw;
    int64_t index;
    snn_part part;
    if (!split_name(name, &index, &part) || index >= layout->count)
        return snn_fail(SNN_ERROR_FORMAT, "tensor \"%s\" belongs to none of the %" PRId64 " nodes",
                        snn_json_show(key).text, layout->count);
    snn_format_node *target = &layout->nodes[index];
    const snn_node *node = &target->node;
    if (!snn_part_wanted(target, part))
        return snn_fail(SNN_ERROR_FORMAT, "tensor %s: node %" PRId64 " (%s%s%s) has no such tensor", name,
                        index,
                        target->entry == SNN_ENTRY_INPUT      ? "input"
                        : target->entry == SNN_ENTRY_CONSTANT ? "constant"
                                                              : snn_op_of(node->type)->name,
                        node->sparse ? ", csr" : "", target->has_bias ? "" : ", no bias");
    if (target->spans[part].present)
        return snn_fail(SNN_ERROR_FORMAT, "header: tensor %s stands twice", name);
    const snn_status status = read_object(json, name, &raw);
    return status == SNN_OK ? place(name, &raw, part, target) : status;
}

/* Whether every linear node has all its tensors, and CSR data and indices are equally long. */
static snn_status check_complete(const snn_layout *layout)
{
    for (int64_t i = 0; i < layout->count; i++) {
        const snn_format_node *target = &layout->nodes[i];
        for (int part = 0; part < SNN_PART_COUNT; part++)
            if (snn_part_wanted(target, (snn_part)part) && !target->spans[part].present)
                return snn_fail(SNN_ERROR_FORMAT, "tensor %" PRId64 "%s is missing", i, snn_part_names[part]);
        if (target->spans[SNN_PART_DATA].count != target->spans[SNN_PART_INDICES].count)
            return snn_fail(SNN_ERROR_FORMAT,
                            "tensor %" PRId64 ".weight.indices must be as long as data, %" PRId64
                            ", got %" PRId64,
                            i, target->spans[SNN_PART_DATA].count, target->spans[SNN_PART_INDICES].count);
    }
    return SNN_OK;
}

snn_status snn_layout_read_tensors(const char *text, size_t length, snn_layout *layout)
{
    snn_json json = {.text = text, .length = length};
    snn_json_string key;
    snn_status status = SNN_OK;
    snn_json_open(&json, '{');
    while (status == SNN_OK && snn_json_next_key(&json, &key)) {
        if (snn_json_equals(key, "__metadata__"))
            snn_json_skip(&json);
        else
            status = read_tensor(&json, key, layout);
    }
    return status == SNN_OK ? check_complete(layout) : status;
}
