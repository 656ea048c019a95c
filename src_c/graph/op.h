/* What the core knows of an op, and the list of all of them.
 *
 * An op is one file, ops/NAME.c, and one line of ops.def. The reader, the writer, the checks, the plan and
 * the report go through this table; none of them names an op.
 *
 * An op keeps NaN: an output that depends on a NaN is one. By that a plan finds the samples in which a kernel
 * has multiplied a zero of its packing by an infinity or NaN (plan/exact.c). */
#ifndef SNN_OP_H
#define SNN_OP_H

#include "graph/op_types.h"
#include "sparsenn.h"

#define SNN_MAX_ATTRIBUTES 2

/* How a plan computes an op. */
typedef enum snn_op_kind {
    SNN_KIND_MATRIX,    /* W x + b; an op of kind SNN_KIND_POINTWISE behind it is fused into it */
    SNN_KIND_POINTWISE, /* a value for a value: kernels/activation.inl */
    SNN_KIND_SOFTMAX    /* over the features of a position */
} snn_op_kind;

typedef struct snn_op {
    int type;         /* SNN_OP_... */
    const char *name; /* in files and reports */
    snn_op_kind kind;
    int minor;                                  /* the minor version of the file format that brought it */
    int attribute_count;                        /* float32 numbers, all of them required */
    const char *attributes[SNN_MAX_ATTRIBUTES]; /* their names, in the order of snn_node.attributes */
    int reads_input; /* pointwise: the slope is a function of the input z as well as of the output */
    /* SNN_ERROR_ARGUMENT for attributes out of range; NULL: any will do. */
    snn_status (*check)(const float *attributes);
} snn_op;

/* The op of a type; NULL where there is none of that number. Types are 0 to SNN_OP_COUNT - 1. */
const snn_op *snn_op_of(int type);
/* The op of that name; NULL where there is none. */
const snn_op *snn_op_find(const char *name);

/* SNN_OK when the attributes are in the op's range. */
static inline snn_status snn_op_check(const snn_op *op, const float *attributes)
{
    return op->check ? op->check(attributes) : SNN_OK;
}

#define SNN_OP(NAME, name) extern const snn_op snn_op_##name;
#include "graph/ops.def"
#undef SNN_OP

#endif
