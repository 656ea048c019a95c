/* The node list of a model file. */
#include "file/format_entry.h"
#include "base/memory.h"
#include "base/status.h"
#include "graph/value.h"

#include <inttypes.h>
#include <string.h>

/* The op by name; NULL where no such op is known. */
static const snn_op *find_op(snn_json_string name)
{
    for (int type = 0; type < SNN_OP_COUNT; type++)
        if (snn_json_equals(name, snn_op_of(type)->name))
            return snn_op_of(type);
    return NULL;
}

static snn_status fail_missing(int64_t index, const char *type, const char *key)
{
    return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 " (%s): no key \"%s\"", index, type, key);
}

static snn_status fail_surplus(int64_t index, const char *type, const char *key)
{
    return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 " (%s): key \"%s\" does not belong there", index, type,
                    key);
}

/* Keys that an entry must have. */
static unsigned wanted_keys(const snn_layout *layout, const snn_op *op)
{
    const unsigned weights = SNN_KEY_INPUTS | SNN_KEY_OUTPUTS | SNN_KEY_WEIGHT | SNN_KEY_BIAS;
    const int is_matrix = op->kind == SNN_KIND_MATRIX;
    if (layout->major == SNN_FORMAT_GRAPH)
        return SNN_KEY_TYPE | SNN_KEY_OPERANDS | (is_matrix ? weights : 0);
    return SNN_KEY_TYPE | SNN_KEY_INPUTS | SNN_KEY_OUTPUTS | (is_matrix ? weights : 0);
}

static snn_status check_keys(int64_t index, const char *type, const snn_raw_entry *raw, unsigned wanted,
                             unsigned optional)
{
    for (unsigned i = 0; i < SNN_KEY_COUNT; i++) {
        const unsigned bit = 1U << i;
        if ((wanted & bit) && !(raw->seen & bit))
            return fail_missing(index, type, snn_key_names[i]);
        if ((raw->seen & bit) && !((wanted | optional) & bit))
            return fail_surplus(index, type, snn_key_names[i]);
    }
    return SNN_OK;
}

/* ---- attributes ---- */

static int names(const char *const *list, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return 1;
    return 0;
}

/* Whether the entry has the attributes of its op, all of them and no others. */
static snn_status check_attributes(int64_t index, const snn_op *op, const snn_raw_entry *raw)
{
    for (int i = 0; i < op->attribute_count; i++)
        if (snn_entry_find(raw, op->attributes[i]) == NULL)
            return fail_missing(index, op->name, op->attributes[i]);
    for (int i = 0; i < op->integer_count; i++)
        if (snn_entry_find(raw, op->integers[i]) == NULL)
            return fail_missing(index, op->name, op->integers[i]);
    for (int i = 0; i < raw->attribute_count; i++) {
        const snn_raw_attribute *attribute = &raw->attributes[i];
        if (!names(op->attributes, op->attribute_count, attribute->name) &&
            !names(op->integers, op->integer_count, attribute->name))
            return fail_surplus(index, op->name, attribute->name);
        if (attribute->is_whole && attribute->is_list != op->takes_list)
            return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 " (%s): %s must be %s", index, op->name,
                            attribute->name, op->takes_list ? "a list" : "a number");
        if (attribute->is_negative && !op->takes_negative)
            return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 " (%s): %s: wanted a whole number, 0 or more",
                            index, op->name, attribute->name);
    }
    return SNN_OK;
}

static snn_status set_attributes(int64_t index, const snn_op *op, const snn_raw_entry *raw, snn_node *node)
{
    for (int i = 0; i < op->attribute_count; i++)
        node->attributes[i] = snn_entry_find(raw, op->attributes[i])->value;
    for (int i = 0; i < op->integer_count; i++) {
        const snn_raw_attribute *attribute = snn_entry_find(raw, op->integers[i]);
        for (int k = 0; k < attribute->count; k++)
            node->integers[node->integer_count++] = attribute->numbers[k];
    }
    if (snn_op_check(op, node->attributes) != SNN_OK)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": %s", index, snn_last_error());
    return SNN_OK;
}

/* ---- nodes ---- */

static snn_status check_version(int64_t index, const snn_op *op, const snn_layout *layout)
{
    const int major = op->is_graph ? SNN_FORMAT_GRAPH : layout->major;
    const int minor = snn_op_minor(op, major == SNN_FORMAT_GRAPH);
    if (layout->major == major && layout->minor >= minor)
        return SNN_OK;
    return snn_fail(SNN_ERROR_FORMAT,
                    "node %" PRId64 ": type \"%s\" came with version %d.%d, the file is of version %d.%d",
                    index, op->name, major, minor, layout->major, layout->minor);
}

/* Of what the numbers of a node mean. */
static snn_status check_own_version(int64_t index, const snn_op *op, const snn_layout *layout,
                                    const snn_node *node)
{
    const int minor = snn_node_minor(node, layout->major == SNN_FORMAT_GRAPH);
    if (layout->minor >= minor)
        return SNN_OK;
    return snn_fail(SNN_ERROR_FORMAT,
                    "node %" PRId64
                    " (%s): such numbers came with version %d.%d, the file is of version %d.%d",
                    index, op->name, layout->major, minor, layout->major, layout->minor);
}

/* Whether the widths are in range; those of a chain follow the node before (previous outputs; 0 for the first
 * node), and are equal for an activation. */
static snn_status check_widths(int64_t index, const snn_raw_entry *raw, const snn_op *op, int64_t previous)
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

static snn_status set_weights(int64_t index, const snn_raw_entry *raw, snn_format_node *out)
{
    out->node.sparse = snn_json_equals(raw->weight, "csr");
    out->has_bias = raw->bias;
    if (!out->node.sparse && !snn_json_equals(raw->weight, "dense"))
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": weight must be \"dense\" or \"csr\", got \"%s\"",
                        index, snn_json_show(raw->weight).text);
    return SNN_OK;
}

static snn_status set_node(int64_t index, const snn_layout *layout, const snn_op *op,
                           const snn_raw_entry *raw, int64_t previous, snn_format_node *out)
{
    const int is_chain = layout->major == SNN_FORMAT_CHAIN, is_matrix = op->kind == SNN_KIND_MATRIX;
    snn_status status = check_version(index, op, layout);
    if (status == SNN_OK)
        status = check_keys(index, op->name, raw, wanted_keys(layout, op), is_chain ? 0 : SNN_KEY_NAME);
    if (status == SNN_OK)
        status = check_attributes(index, op, raw);
    if (status == SNN_OK && (is_chain || is_matrix))
        status = check_widths(index, raw, op, is_chain ? previous : 0);
    if (status != SNN_OK)
        return status;
    out->node = (snn_node){.type = op->type, .inputs = raw->inputs, .outputs = raw->outputs};
    if (is_matrix) {
        out->node.rows = raw->outputs;
        out->node.cols = raw->inputs;
    }
    status = set_attributes(index, op, raw, &out->node);
    if (status == SNN_OK)
        status = check_own_version(index, op, layout, &out->node);
    return status == SNN_OK && is_matrix ? set_weights(index, raw, out) : status;
}

/* ---- inputs and constants of a graph ---- */

static snn_status set_value(int64_t index, const char *type, const snn_raw_entry *raw, snn_format_node *out)
{
    const unsigned name = out->entry == SNN_ENTRY_INPUT ? SNN_KEY_NAME : 0;
    const snn_raw_attribute *dims = snn_entry_find(raw, "dims");
    const snn_status status = check_keys(index, type, raw, SNN_KEY_TYPE | name, 0);
    if (status != SNN_OK)
        return status;
    if (dims == NULL)
        return fail_missing(index, type, "dims");
    if (raw->attribute_count > 1)
        return fail_surplus(index, type, raw->attributes[dims == raw->attributes].name);
    if (!dims->is_list || dims->count > SNN_MAX_RANK - 1)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 " (%s): dims must be a list of at most %d numbers",
                        index, type, SNN_MAX_RANK - 1);
    snn_value value = {.rank = dims->count + 1};
    out->rank = dims->count;
    for (int i = 0; i < dims->count; i++)
        out->dims[i] = value.dims[i + 1] = dims->numbers[i];
    if (snn_dims_check(type, &value) != SNN_OK)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": %s", index, snn_last_error());
    return SNN_OK;
}

/* ---- the list ---- */

static snn_status read_entry(snn_json *json, int64_t index, snn_layout *layout, int64_t previous)
{
    snn_raw_entry raw;
    snn_format_node *out = &layout->nodes[index];
    const snn_status status = snn_entry_read(json, index, layout, &raw);
    if (status != SNN_OK)
        return status;
    if (!(raw.seen & SNN_KEY_TYPE))
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": no key \"type\"", index);
    out->first_operand = raw.first_operand;
    out->operand_count = raw.operand_count;
    if ((raw.seen & SNN_KEY_NAME) && layout->major == SNN_FORMAT_GRAPH) {
        out->name = snn_entry_copy(raw.name);
        if (out->name == NULL)
            return snn_fail(SNN_ERROR_MEMORY, "no memory for a name");
    }
    const int is_input = snn_json_equals(raw.type, "input");
    if (layout->major == SNN_FORMAT_GRAPH && (is_input || snn_json_equals(raw.type, "constant"))) {
        out->entry = is_input ? SNN_ENTRY_INPUT : SNN_ENTRY_CONSTANT;
        return set_value(index, is_input ? "input" : "constant", &raw, out);
    }
    const snn_op *op = find_op(raw.type);
    if (op == NULL)
        return snn_fail(SNN_ERROR_FORMAT, "node %" PRId64 ": unknown type \"%s\"", index,
                        snn_json_show(raw.type).text);
    return set_node(index, layout, op, &raw, previous, out);
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
        status = read_entry(&json, i, layout, previous);
        previous = layout->nodes[i].node.outputs;
    }
    return status;
}
