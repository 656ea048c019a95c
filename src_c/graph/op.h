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
#define SNN_MAX_INTEGERS 10
#define SNN_MAX_RANK 8
#define SNN_DYNAMIC (-1) /* a dim that is not fixed */

struct snn_mix;
struct snn_node;
struct snn_value;

/* How a plan computes an op. */
typedef enum snn_op_kind {
    SNN_KIND_MATRIX, /* W x + b, of the features, where it has a window of what that holds at each position,
                        where it has a cell of its own state at each step; but for a cell an op of kind
                        SNN_KIND_POINTWISE behind it is fused into it */
    SNN_KIND_POOL,   /* a value for what a window holds of a channel */
    SNN_KIND_POINTWISE, /* a value for a value: kernels/activation.inl */
    SNN_KIND_SOFTMAX,   /* over some axes: axes says which */
    SNN_KIND_AXIS_NORM, /* along an axis, which axes says; then a factor and perhaps a shift of each place,
                           operands that are constants: kernels/axis_norm.inl */
    SNN_KIND_PRODUCT,   /* matrices of two operands: product says which */
    SNN_KIND_ATTENTION, /* attention says of what */
    SNN_KIND_LOOKUP,    /* rows of the second operand, a constant, that the first names */
    SNN_KIND_REDUCE,    /* some axes become one place each: axes says which; kernels/reduce.inl */
    SNN_KIND_RESIZE,    /* places of an axis from places beside them: axes and mixes say which */
    SNN_KIND_PAIR,      /* two or three values for a value, broadcast as in numpy: kernels/pair.inl */
    SNN_KIND_NORM,      /* a factor and a shift of each channel: no plan has it, plan/fold.c comes before */
    SNN_KIND_MOVE,      /* features in other places: moves says which */
    SNN_KIND_VIEW       /* other dims of the same features */
} snn_op_kind;

/* count features of an operand, each step behind the one before, become features of the result, each apart
 * behind the one before. operand -1: they hold the op's first attribute. */
typedef struct snn_move {
    int64_t operand, from, step, to, count, apart;
} snn_move;
/* Where an op puts its moves. */
typedef struct snn_moves snn_moves;
void snn_move_add(snn_moves *moves, snn_move move);

/* A window that moves over the positions (height, width) of an operand (channels, height, width). What lies
 * outside is padding. */
typedef struct snn_window {
    int64_t channels, height, width, out_height, out_width;
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int64_t pad_top, pad_left, pad_bottom, pad_right;
    int64_t x_plane, y_plane; /* floats from a channel of the operand to the next, and of the result */
} snn_window;

/* Axes next to each other, as the middle of three: an operand is (outer, count, inner). */
typedef struct snn_axes {
    int64_t outer, count, inner;
} snn_axes;

/* A recurrent op: at each step of a sequence W times the state of the step before, plus b and the operand's
 * own part of that step, becomes the next state. Rows of W and of the operand go gate by gate. */
#define SNN_CELL_ACTIVATIONS 3
typedef struct snn_cell {
    int64_t hidden; /* units: columns of W, and rows a gate */
    int gates;
    int states;                                  /* values that a unit carries from step to step */
    int reverse;                                 /* from the last step to the first */
    int has_initial, has_lengths, has_peepholes; /* operands, in this order behind the first */
    int gives_states;                            /* behind the steps of the result come the last states */
    int resets_after;                            /* the reset gate takes the product, not the state */
    int activations[SNN_CELL_ACTIVATIONS];       /* SNN_OP_ */
    int64_t offset;                              /* of its states among those of all cells of a plan */
} snn_cell;

/* Matrices of two operands: for each place of the outer axes y (rows, columns) is a (rows, depth) times b
 * (depth, columns), one behind the other in y. Where an operand has 1 of an axis it is repeated. */
typedef struct snn_product {
    int64_t rows, depth, columns;
    int64_t a_row, a_step, b_step, b_column; /* floats to the next row, step of the depth, column */
    int64_t outer;                           /* places in all */
    int axes;
    int64_t dims[SNN_MAX_RANK], a_apart[SNN_MAX_RANK], b_apart[SNN_MAX_RANK]; /* (axes) */
} snn_product;

/* Attention of q (heads, depth, queries), k (own_heads, depth, keys) and v (own_heads, width, keys): y
 * (heads, width, queries) is v times softmax over keys of scale k q + mask. */
typedef struct snn_attention {
    int64_t heads, own_heads, depth, width, queries, keys;
    int causal; /* no query sees a key behind its own place */
    int zeros;  /* a query that sees no key at all gives 0, else NaN */
    float scale;
    int has_mask;                            /* the fourth operand */
    int64_t mask_head, mask_query, mask_key; /* floats to the next; 0 where it is repeated */
} snn_attention;

typedef struct snn_op {
    int type;         /* SNN_OP_... */
    const char *name; /* in files and reports */
    snn_op_kind kind;
    int minor;       /* the minor version of the file format that brought it */
    int graph_minor; /* of an op that chains have too: the minor version of graphs that brought it */
    int is_graph;    /* in graphs alone: format 2.minor */
    int least_operands, most_operands;          /* 0: one */
    int integer_count;                          /* whole numbers, all of them required */
    const char *integers[SNN_MAX_INTEGERS];     /* their names, in the order of snn_node.integers */
    int takes_negative;                         /* whole numbers below 0 mean something */
    int takes_list;                             /* there is one name, of a list of any length */
    int attribute_count;                        /* float32 numbers, all of them required */
    const char *attributes[SNN_MAX_ATTRIBUTES]; /* their names, in the order of snn_node.attributes */
    int reads_input; /* pointwise: the slope is a function of the input z as well as of the output */
    /* SNN_ERROR_ARGUMENT for attributes out of range; NULL: any will do. */
    snn_status (*check)(const float *attributes);
    /* The minor version of graphs that brought what a node's whole numbers mean, 0 for that of the op; NULL:
     * it always is. */
    int (*own_minor)(const struct snn_node *node);
    /* dims (rank) of the result from the operands, SNN_ERROR_ARGUMENT where they do not fit; whole numbers
     * may be brought into their plain form. NULL: those of the operand. */
    snn_status (*infer)(struct snn_node *node, const struct snn_value *const *operands,
                        struct snn_value *result);
    /* kind SNN_KIND_MOVE: all features of the result, each once. Dims are fixed. */
    void (*moves)(const struct snn_node *node, const struct snn_value *const *operands,
                  const struct snn_value *result, snn_moves *moves);
    /* Kinds SNN_KIND_SOFTMAX, _AXIS_NORM, _REDUCE and _RESIZE: what they look over. Dims are fixed. */
    void (*axes)(const struct snn_node *node, const struct snn_value *operand, snn_axes *axes);
    /* kind SNN_KIND_RESIZE: what each of made places is, of an axis of count places. */
    void (*mixes)(const struct snn_node *node, int64_t count, int64_t made, struct snn_mix *mixes);
    /* An op with a window: which; of dims that are not fixed all but its sizes. NULL: it has none. */
    void (*window)(const struct snn_node *node, const struct snn_value *operand, snn_window *window);
    /* kind SNN_KIND_PRODUCT. Dims are fixed. */
    void (*product)(const struct snn_node *node, const struct snn_value *const *operands,
                    const struct snn_value *result, snn_product *product);
    /* kind SNN_KIND_ATTENTION. Dims are fixed. */
    void (*attention)(const struct snn_node *node, const struct snn_value *const *operands,
                      snn_attention *attention);
    /* A recurrent op: its cell. NULL: it has none. */
    void (*cell)(const struct snn_node *node, snn_cell *cell);
} snn_op;

/* The op of a type; NULL where there is none of that number. Types are 0 to SNN_OP_COUNT - 1. */
const snn_op *snn_op_of(int type);
/* The op of that name; NULL where there is none. */
const snn_op *snn_op_find(const char *name);

/* The minor version that brought an op to the files of graphs, or of chains; 0 where they never have it. */
static inline int snn_op_minor(const snn_op *op, int graph)
{
    return op->is_graph ? (graph ? op->minor : 0) : (graph ? op->graph_minor : op->minor);
}
/* The same of a node. */
int snn_node_minor(const struct snn_node *node, int graph);

/* SNN_OK when the attributes are in the op's range. */
static inline snn_status snn_op_check(const snn_op *op, const float *attributes)
{
    return op->check ? op->check(attributes) : SNN_OK;
}

#define SNN_OP(NAME, name) extern const snn_op snn_op_##name;
#include "graph/ops.def"
#undef SNN_OP

#endif
