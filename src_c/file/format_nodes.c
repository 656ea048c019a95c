/* The node list of a model file. */
#include "file/format.h"
#include "base/memory.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

/* The keys that a node may have, as bits of the set that was seen. */
enum { TYPE = 1, INPUTS = 2, OUTPUTS = 4, WEIGHT = 8, BIAS = 16, LOW = 32, HIGH = 64, ALPHA = 128 };
static const char *const key_names[] = {"type", "inputs", "outputs", "weight",
                                        "bias", "low",    "high",    "alpha"};
enum { KEY_COUNT = sizeof key_names / sizeof key_names[0] };

/* A node's object as read, before it is known to make sense. */
typedef struct raw_node {
    unsigned seen;
    snn_json_string type, weight;
    int64_t inputs, outputs;
    int bias;
    float low, high, alpha;
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
    case LOW: return snn_json_read_float(json, &raw->low);
    case HIGH: return snn_json_read_float(json, &raw->high);
    case ALPHA: return snn_json_read_float(json, &raw->alpha);
    default: return snn_json_skip(json);
    }
}

/* Keys that are not known are an error in a file of a known minor version, and skipped in a later one. */
static snn_status read_object(snn_json *json, int64_t index, int minor, raw_node *raw)
{
    snn_json_string key;
    *raw = (raw_node){0};
    snn_json_open(json, '{');
    while (snn_json_next_key(json, &key)) {
        const unsigned bit = find_key(key);
        if (bit == 0 && minor <= SNN_FORMAT_MINOR)
            return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": unknown key \"%s\"", index,
                            snn_json_show(key).text);
        if (raw->seen & bit)
            return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": key \"%s\" stands twice", index,
                            snn_json_show(key).text);
        raw->seen |= bit;
        read_value(json, bit, raw);
    }
    return json->error == NULL ? SNN_OK : snn_json_status(json, "nodes");
}

/* The type by name; -1 where no such type is known. */
static int find_type(snn_json_string name)
{
    for (int type = 0; type <= SNN_NODE_ELU; type++)
        if (snn_json_equals(name, snn_node_type_names[type]))
            return type;
    return -1;
}

/* The keys that a node of that type has beside those of all nodes. */
static unsigned own_keys(int type)
{
    switch (type) {
    case SNN_NODE_LINEAR: return WEIGHT | BIAS;
    case SNN_NODE_CLIP: return LOW | HIGH;
    case SNN_NODE_ELU: return ALPHA;
    default: return 0;
    }
}

/* Whether the node has the keys of its type, all of them and no others. */
static snn_status check_keys(int64_t index, const char *type, unsigned seen, unsigned wanted)
{
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        const unsigned bit = 1U << i;
        if ((wanted & bit) && !(seen & bit))
            return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 " (%s): no key \"%s\"", index, type,
                            key_names[i]);
        if ((seen & bit) && !(wanted & bit))
            return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 " (%s): key \"%s\" does not belong there",
                            index, type, key_names[i]);
    }
    return SNN_OK;
}

/* Whether the widths are in range, follow the node before (previous outputs; 0 for the first node) and
 * are equal for an activation. */
static snn_status check_widths(int64_t index, const raw_node *raw, int type, int64_t previous)
{
    if (snn_width_check("inputs", raw->inputs) != SNN_OK ||
        snn_width_check("outputs", raw->outputs) != SNN_OK)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": %s", index, snn_last_error());
    if (previous != 0 && raw->inputs != previous)
        return snn_fail(SNN_ERROR_FORMAT,
                        "node %" PRId64 ": inputs must be the outputs of the node before, %" PRId64
                        ", got %" PRId64,
                        index, previous, raw->inputs);
    if (type != SNN_NODE_LINEAR && raw->inputs != raw->outputs)
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
    const int type = find_type(raw.type);
    if (type < 0)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": unknown type \"%s\"", index,
                        snn_json_show(raw.type).text);
    if (minor < snn_node_type_minor((snn_node_type)type))
        return snn_fail(SNN_ERROR_FORMAT,
                        "node %" PRId64 ": type \"%s\" came with version %d.%d, the file is of version %d.%d",
                        index, snn_node_type_names[type], SNN_FORMAT_MAJOR,
                        snn_node_type_minor((snn_node_type)type), SNN_FORMAT_MAJOR, minor);
    status = check_keys(index, snn_node_type_names[type], raw.seen, TYPE | INPUTS | OUTPUTS | own_keys(type));
    if (status == SNN_OK)
        status = check_widths(index, &raw, type, previous);
    if (status != SNN_OK)
        return status;
    if ((type == SNN_NODE_CLIP && snn_clip_check(raw.low, raw.high) != SNN_OK) ||
        (type == SNN_NODE_ELU && snn_elu_check(raw.alpha) != SNN_OK))
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": %s", index, snn_last_error());
    const int sparse = type == SNN_NODE_LINEAR && snn_json_equals(raw.weight, "csr");
    if (type == SNN_NODE_LINEAR && !sparse && !snn_json_equals(raw.weight, "dense"))
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": weight must be \"dense\" or \"csr\", got \"%s\"",
                        index, snn_json_show(raw.weight).text);
    out->node = (snn_node){.type = (snn_node_type)type,
                           .inputs = raw.inputs,
                           .outputs = raw.outputs,
                           .sparse = sparse,
                           .low = type == SNN_NODE_ELU ? raw.alpha : raw.low,
                           .high = raw.high};
    out->has_bias = raw.bias;
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
