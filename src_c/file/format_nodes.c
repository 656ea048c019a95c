/* The node list of a model file. */
#include "file/format.h"
#include "base/memory.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

/* The keys that a node may have beside its op's attributes, as bits of the set that was seen. */
enum { TYPE = 1, INPUTS = 2, OUTPUTS = 4, WEIGHT = 8, BIAS = 16 };
static const char *const key_names[] = {"type", "inputs", "outputs", "weight", "bias"};
enum { KEY_COUNT = sizeof key_names / sizeof key_names[0], MAX_ATTRIBUTES = 8 };

/* A node's object as read, before it is known to make sense. */
typedef struct raw_node {
    unsigned seen;
    snn_json_string type, weight;
    int64_t inputs, outputs;
    int bias;
    int attribute_count;
    struct {
        const char *name; /* as an op's table has it */
        float value;
    } attributes[MAX_ATTRIBUTES];
} raw_node;

static unsigned find_key(snn_json_string key)
{
    for (unsigned i = 0; i < KEY_COUNT; i++)
        if (snn_json_equals(key, key_names[i]))
            return 1U << i;
    return 0;
}

static int read_value(snn_json *json, unsigned key, raw_node *raw)
{
    switch (key) {
    case TYPE: return snn_json_read_string(json, &raw->type);
    case INPUTS: return snn_json_read_whole(json, &raw->inputs);
    case OUTPUTS: return snn_json_read_whole(json, &raw->outputs);
    case WEIGHT: return snn_json_read_string(json, &raw->weight);
    case BIAS: return snn_json_read_boolean(json, &raw->bias);
    default: return snn_json_skip(json);
    }
}

/* The name of an attribute that some op has; NULL for any other key. */
static const char *find_attribute(snn_json_string key)
{
    for (int type = 0; type < SNN_OP_COUNT; type++) {
        const snn_op *op = snn_op_of(type);
        for (int i = 0; i < op->attribute_count; i++)
            if (snn_json_equals(key, op->attributes[i]))
                return op->attributes[i];
    }
    return NULL;
}

/* The place of an attribute among those read; -1 where it is not there. */
static int find_value(const raw_node *raw, const char *name)
{
    for (int i = 0; i < raw->attribute_count; i++)
        if (strcmp(raw->attributes[i].name, name) == 0)
            return i;
    return -1;
}

static snn_status fail_twice(int64_t index, snn_json_string key)
{
    return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": key \"%s\" stands twice", index,
                    snn_json_show(key).text);
}

/* The value of a key that is none of all nodes': an op's attribute. Keys that are not known are an error in a
 * file of a known minor version, and skipped in a later one. */
static snn_status read_attribute(snn_json *json, int64_t index, int minor, snn_json_string key, raw_node *raw)
{
    const char *name = find_attribute(key);
    if (name == NULL && minor <= snn_format_minor())
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": unknown key \"%s\"", index,
                        snn_json_show(key).text);
    if (name == NULL) {
        snn_json_skip(json);
        return SNN_OK;
    }
    if (find_value(raw, name) >= 0)
        return fail_twice(index, key);
    if (raw->attribute_count == MAX_ATTRIBUTES)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": more than %d attributes", index, MAX_ATTRIBUTES);
    raw->attributes[raw->attribute_count].name = name;
    snn_json_read_float(json, &raw->attributes[raw->attribute_count++].value);
    return SNN_OK;
}

static snn_status read_object(snn_json *json, int64_t index, int minor, raw_node *raw)
{
    snn_json_string key;
    snn_status status = SNN_OK;
    *raw = (raw_node){0};
    snn_json_open(json, '{');
    while (status == SNN_OK && snn_json_next_key(json, &key)) {
        const unsigned bit = find_key(key);
        if (bit == 0) {
            status = read_attribute(json, index, minor, key, raw);
            continue;
        }
        if (raw->seen & bit)
            return fail_twice(index, key);
        raw->seen |= bit;
        read_value(json, bit, raw);
    }
    if (status != SNN_OK)
        return status;
    return json->error == NULL ? SNN_OK : snn_json_status(json, "nodes");
}

/* The op by name; NULL where no such op is known. */
static const snn_op *find_op(snn_json_string name)
{
    for (int type = 0; type < SNN_OP_COUNT; type++)
        if (snn_json_equals(name, snn_op_of(type)->name))
            return snn_op_of(type);
    return NULL;
}

static snn_status fail_missing(int64_t index, const snn_op *op, const char *key)
{
    return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 " (%s): no key \"%s\"", index, op->name, key);
}

static snn_status fail_surplus(int64_t index, const snn_op *op, const char *key)
{
    return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 " (%s): key \"%s\" does not belong there", index,
                    op->name, key);
}

/* Whether the node has the keys of its op, all of them and no others. */
static snn_status check_keys(int64_t index, const snn_op *op, const raw_node *raw)
{
    const unsigned wanted = TYPE | INPUTS | OUTPUTS | (op->kind == SNN_KIND_MATRIX ? WEIGHT | BIAS : 0);
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        const unsigned bit = 1U << i;
        if ((wanted & bit) && !(raw->seen & bit))
            return fail_missing(index, op, key_names[i]);
        if ((raw->seen & bit) && !(wanted & bit))
            return fail_surplus(index, op, key_names[i]);
    }
    for (int i = 0; i < op->attribute_count; i++)
        if (find_value(raw, op->attributes[i]) < 0)
            return fail_missing(index, op, op->attributes[i]);
    for (int i = 0; i < raw->attribute_count; i++) {
        int known = 0;
        for (int k = 0; k < op->attribute_count; k++)
            known |= strcmp(raw->attributes[i].name, op->attributes[k]) == 0;
        if (!known)
            return fail_surplus(index, op, raw->attributes[i].name);
    }
    return SNN_OK;
}

/* Whether the widths are in range, follow the node before (previous outputs; 0 for the first node) and
 * are equal for an activation. */
static snn_status check_widths(int64_t index, const raw_node *raw, const snn_op *op, int64_t previous)
{
    if (snn_width_check("inputs", raw->inputs) != SNN_OK ||
        snn_width_check("outputs", raw->outputs) != SNN_OK)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": %s", index, snn_last_error());
    if (previous != 0 && raw->inputs != previous)
        return snn_fail(SNN_ERROR_FORMAT,
                        "node %" PRId64 ": inputs must be the outputs of the node before, %" PRId64
                        ", got %" PRId64,
                        index, previous, raw->inputs);
    if (op->kind != SNN_KIND_MATRIX && raw->inputs != raw->outputs)
        return snn_fail(SNN_ERROR_FORMAT,
                        "node %" PRId64 ": an activation has as many outputs as inputs, got %" PRId64
                        " inputs and %" PRId64 " outputs",
                        index, raw->inputs, raw->outputs);
    return SNN_OK;
}

static snn_status read_node(snn_json *json, int64_t index, int minor, int64_t previous, snn_format_node *out)
{
    raw_node raw;
    snn_status status = read_object(json, index, minor, &raw);
    if (status != SNN_OK)
        return status;
    if (!(raw.seen & TYPE))
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": no key \"type\"", index);
    const snn_op *op = find_op(raw.type);
    if (op == NULL)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": unknown type \"%s\"", index,
                        snn_json_show(raw.type).text);
    if (minor < op->minor)
        return snn_fail(SNN_ERROR_FORMAT,
                        "node %" PRId64 ": type \"%s\" came with version %d.%d, the file is of version %d.%d",
                        index, op->name, SNN_FORMAT_MAJOR, op->minor, SNN_FORMAT_MAJOR, minor);
    status = check_keys(index, op, &raw);
    if (status == SNN_OK)
        status = check_widths(index, &raw, op, previous);
    if (status != SNN_OK)
        return status;
    out->node = (snn_node){.type = op->type, .inputs = raw.inputs, .outputs = raw.outputs};
    for (int i = 0; i < op->attribute_count; i++)
        out->node.attributes[i] = raw.attributes[find_value(&raw, op->attributes[i])].value;
    if (snn_op_check(op, out->node.attributes) != SNN_OK)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": %s", index, snn_last_error());
    if (op->kind != SNN_KIND_MATRIX)
        return SNN_OK;
    out->node.sparse = snn_json_equals(raw.weight, "csr");
    out->has_bias = raw.bias;
    if (!out->node.sparse && !snn_json_equals(raw.weight, "dense"))
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": weight must be \"dense\" or \"csr\", got \"%s\"",
                        index, snn_json_show(raw.weight).text);
    return SNN_OK;
}

/* Counts the nodes, so that they can be allocated at once, and checks the syntax of the whole text. */
static snn_status count_nodes(const char *text, size_t length, int64_t *count)
{
    snn_json json = {.text = text, .length = length};
    snn_json_open(&json, '[');
    while (snn_json_next_item(&json)) {
        if (++*count > SNN_FORMAT_MAX_NODES)
            return snn_fail(SNN_ERROR_FORMAT, "nodes: more than %d", SNN_FORMAT_MAX_NODES);
        snn_json_skip(&json);
    }
    if (!snn_json_end(&json))
        return snn_json_status(&json, "nodes");
    return *count > 0 ? SNN_OK : snn_fail(SNN_ERROR_FORMAT, "nodes: the list is empty");
}

snn_status snn_layout_read_nodes(const char *text, size_t length, snn_layout *layout)
{
    int64_t count = 0;
    snn_status status = count_nodes(text, length, &count);
    if (status != SNN_OK)
        return status;
    layout->nodes = snn_alloc((size_t)count, sizeof *layout->nodes);
    if (layout->nodes == NULL)
        return snn_fail(SNN_ERROR_MEMORY, "no memory for %" PRId64 " nodes", count);
    layout->count = count;
    snn_json json = {.text = text, .length = length};
    snn_json_open(&json, '[');
    int64_t previous = 0;
    for (int64_t i = 0; snn_json_next_item(&json) && status == SNN_OK; i++) {
        status = read_node(&json, i, layout->minor, previous, &layout->nodes[i]);
        previous = layout->nodes[i].node.outputs;
    }
    return status;
}
