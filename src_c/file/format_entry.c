/* Reading one object of the node list. */
#include "file/format_entry.h"
#include "base/memory.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

const char *const snn_key_names[SNN_KEY_COUNT] = {"type", "inputs",   "outputs", "weight",
                                                  "bias", "operands", "name"};

static unsigned find_key(snn_json_string key)
{
    for (unsigned i = 0; i < SNN_KEY_COUNT; i++)
        if (snn_json_equals(key, snn_key_names[i]))
            return 1U << i;
    return 0;
}

/* ---- attributes ---- */

/* The name of an attribute that some op has; NULL for any other key. */
static const char *find_name(snn_json_string key, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (snn_json_equals(key, names[i]))
            return names[i];
    return NULL;
}

static const char *find_attribute(snn_json_string key, int *is_whole)
{
    for (int type = 0; type < SNN_OP_COUNT; type++) {
        const snn_op *op = snn_op_of(type);
        const char *name = find_name(key, op->attributes, op->attribute_count);
        *is_whole = name == NULL;
        if (name == NULL)
            name = find_name(key, op->integers, op->integer_count);
        if (name != NULL)
            return name;
    }
    return NULL;
}

const snn_raw_attribute *snn_entry_find(const snn_raw_entry *raw, const char *name)
{
    for (int i = 0; i < raw->attribute_count; i++)
        if (strcmp(raw->attributes[i].name, name) == 0)
            return &raw->attributes[i];
    return NULL;
}

/* A whole number, or null: SNN_DYNAMIC. */
static void read_whole(snn_json *json, int64_t *number)
{
    *number = SNN_DYNAMIC;
    if (snn_json_peek(json) == 'n')
        snn_json_skip(json);
    else
        snn_json_read_whole(json, number);
}

static void read_numbers(snn_json *json, snn_raw_attribute *attribute)
{
    attribute->is_list = snn_json_peek(json) == '[';
    if (!attribute->is_list) {
        attribute->count = 1;
        attribute->is_negative = snn_json_peek(json) == '-';
        if (attribute->is_negative)
            snn_json_read_integer(json, &attribute->numbers[0]);
        else
            read_whole(json, &attribute->numbers[0]);
        return;
    }
    snn_json_open(json, '[');
    while (snn_json_next_item(json)) {
        if (attribute->count == SNN_MAX_RANK)
            snn_json_fail(json, "a list of more than 8 numbers");
        else
            read_whole(json, &attribute->numbers[attribute->count++]);
    }
}

static snn_status fail_twice(int64_t index, snn_json_string key)
{
    return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": key \"%s\" stands twice", index,
                    snn_json_show(key).text);
}

/* The value of a key that is none of all nodes': an op's attribute. Keys that are not known are an error in a
 * file of a known minor version, and skipped in a later one. */
static snn_status read_attribute(snn_json *json, int64_t index, const snn_layout *layout, snn_json_string key,
                                 snn_raw_entry *raw)
{
    int is_whole;
    const char *name = find_attribute(key, &is_whole);
    if (name == NULL && layout->minor <= snn_format_minor(layout->major))
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": unknown key \"%s\"", index,
                        snn_json_show(key).text);
    if (name == NULL) {
        snn_json_skip(json);
        return SNN_OK;
    }
    if (snn_entry_find(raw, name) != NULL)
        return fail_twice(index, key);
    if (raw->attribute_count == SNN_MAX_RAW_ATTRIBUTES)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": more than %d attributes", index,
                        SNN_MAX_RAW_ATTRIBUTES);
    snn_raw_attribute *attribute = &raw->attributes[raw->attribute_count++];
    *attribute = (snn_raw_attribute){.name = name, .is_whole = is_whole};
    if (is_whole)
        read_numbers(json, attribute);
    else
        snn_json_read_float(json, &attribute->value);
    return SNN_OK;
}

/* ---- the object ---- */

static snn_status read_operands(snn_json *json, snn_layout *layout, snn_raw_entry *raw)
{
    raw->first_operand = layout->operand_count;
    snn_json_open(json, '[');
    while (snn_json_next_item(json)) {
        int64_t operand = 0;
        if (!snn_grow((void **)&layout->operands, layout->operand_count, &layout->operand_capacity,
                      sizeof *layout->operands))
            return snn_fail(SNN_ERROR_MEMORY, "no memory for operands");
        snn_json_read_whole(json, &operand);
        layout->operands[layout->operand_count++] = operand;
    }
    raw->operand_count = layout->operand_count - raw->first_operand;
    return SNN_OK;
}

static snn_status read_value(snn_json *json, unsigned key, snn_layout *layout, snn_raw_entry *raw)
{
    switch (key) {
    case SNN_KEY_TYPE: snn_json_read_string(json, &raw->type); break;
    case SNN_KEY_INPUTS: snn_json_read_whole(json, &raw->inputs); break;
    case SNN_KEY_OUTPUTS: snn_json_read_whole(json, &raw->outputs); break;
    case SNN_KEY_WEIGHT: snn_json_read_string(json, &raw->weight); break;
    case SNN_KEY_BIAS: snn_json_read_boolean(json, &raw->bias); break;
    case SNN_KEY_NAME: snn_json_read_string(json, &raw->name); break;
    default: return read_operands(json, layout, raw);
    }
    return SNN_OK;
}

snn_status snn_entry_read(snn_json *json, int64_t index, snn_layout *layout, snn_raw_entry *raw)
{
    snn_json_string key;
    snn_status status = SNN_OK;
    *raw = (snn_raw_entry){0};
    snn_json_open(json, '{');
    while (status == SNN_OK && snn_json_next_key(json, &key)) {
        const unsigned bit = find_key(key);
        if (bit == 0) {
            status = read_attribute(json, index, layout, key, raw);
            continue;
        }
        if (raw->seen & bit)
            return fail_twice(index, key);
        raw->seen |= bit;
        status = read_value(json, bit, layout, raw);
    }
    if (status != SNN_OK)
        return status;
    return json->error == NULL ? SNN_OK : snn_json_status(json, "nodes");
}

char *snn_entry_copy(snn_json_string string)
{
    char *copy = snn_alloc(string.length + 1, 1);
    if (copy != NULL)
        copy[snn_json_decode(string, copy)] = '\0';
    return copy;
}
