/* The numbers of the ops, in the order of ops.def; those that snn_node_type names are the same. */
#ifndef SNN_OP_TYPES_H
#define SNN_OP_TYPES_H

enum {
#define SNN_OP(NAME, name) SNN_OP_##NAME,
#include "graph/ops.def"
#undef SNN_OP
    SNN_OP_COUNT
};

#endif
