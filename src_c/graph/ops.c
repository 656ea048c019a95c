/* The table of ops, from ops.def. */
#include "graph/op.h"

static const snn_op *const table[] = {
#define SNN_OP(NAME, name) [SNN_NODE_##NAME] = &snn_op_##name,
#include "graph/ops.def"
#undef SNN_OP
};
enum { OP_COUNT = sizeof table / sizeof *table };

const snn_op *snn_op_of(snn_node_type type) { return (unsigned)type < OP_COUNT ? table[type] : 0; }

int snn_op_count(void) { return OP_COUNT; }
