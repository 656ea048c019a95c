/* The table of ops, from ops.def. */
#include "graph/op.h"

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
