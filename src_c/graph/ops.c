/* The table of ops, from ops.def. */
#include "graph/op.h"
#include "base/status.h"
#include "graph/model.h"

#include <stddef.h>
#include <string.h>

static const snn_op *const table[SNN_OP_COUNT] = {
#define SNN_OP(NAME, name) [SNN_OP_##NAME] = &snn_op_##name,
#include "graph/ops.def"
#undef SNN_OP
};

_Static_assert((int)SNN_OP_LINEAR == SNN_NODE_LINEAR && (int)SNN_OP_ELU == SNN_NODE_ELU,
               "ops.def keeps the numbers of snn_node_type");

const snn_op *snn_op_of(int type) { return (unsigned)type < SNN_OP_COUNT ? table[type] : NULL; }

int snn_node_minor(const snn_node *node, int graph)
{
    const snn_op *op = table[node->type];
    const int minor = snn_op_minor(op, graph), own = op->own_minor ? op->own_minor(node) : 0;
    return own > minor ? own : minor;
}

const snn_op *snn_op_find(const char *name)
{
    for (int type = 0; type < SNN_OP_COUNT; type++)
        if (!strcmp(table[type]->name, name))
            return table[type];
    return NULL;
}

const char *snn_node_type_name(snn_node_type type)
{
    const snn_op *op = snn_op_of(type);
    return op ? op->name : NULL;
}

snn_status snn_op_query(const char *name, snn_op_info *info)
{
    if (!name || !info)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", name ? "info" : "name");
    const snn_op *op = snn_op_find(name);
    if (!op)
        return snn_fail(SNN_ERROR_ARGUMENT, "name must be that of an op, got \"%.40s\"", name);
    *info = (snn_op_info){
        .name = op->name,
        .graph_only = op->is_graph,
        .has_weights = op->kind == SNN_KIND_MATRIX,
        .attribute_count = (size_t)op->attribute_count,
        .integer_count = (size_t)op->integer_count,
        .attributes = op->attributes,
        .integers = op->integers,
        .takes_list = op->takes_list,
    };
    return SNN_OK;
}
