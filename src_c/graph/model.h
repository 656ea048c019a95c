/* A model inside the core: nodes in execution order over numbered values, arrays owned, borrowed or in a
 * mapped file. Valid by construction. */
#ifndef SNN_MODEL_H
#define SNN_MODEL_H

#include "graph/op.h"

/* Arrays of a node that lie in the model's mapped file or are the caller's: a bit for each snn_part, in its
 * order. */
enum {
    SNN_MAPPED_WEIGHT = 1,
    SNN_MAPPED_DATA = 2,
    SNN_MAPPED_INDICES = 4,
    SNN_MAPPED_INDPTR = 8,
    SNN_MAPPED_BIAS = 16,
    SNN_MAPPED_ALL = 31
};

/* A value: an input of the model, a constant, or what a node gives. */
typedef struct snn_value {
    char *name; /* owned; NULL: it has none */
    int rank;
    int64_t dims[SNN_MAX_RANK]; /* the batch first: SNN_DYNAMIC, 1 for a constant; others fixed or dynamic */
    float *constant;            /* (product of the dims), or NULL; owned unless it is shared */
    int shared;                 /* the constant is another model's, which outlives this one */
} snn_value;

typedef struct snn_node {
    int type;                /* SNN_OP_... */
    int64_t inputs, outputs; /* features of the first operand and of the result */
    int64_t rows, cols;      /* of the weight; 0 without one */
    int64_t operand_count;
    int64_t *operands; /* (operand_count) owned: values that came before */
    int64_t value;     /* that the node gives */
    int integer_count;
    int64_t integers[SNN_MAX_INTEGERS]; /* the op's whole numbers: each in its table's order, or one list */
    int sparse;
    int64_t nnz;
    float *weight;                        /* (rows, cols) or NULL */
    int64_t *indptr;                      /* (rows + 1) or NULL */
    int32_t *indices;                     /* (nnz) or NULL */
    float *data;                          /* (nnz) or NULL */
    float *bias;                          /* (rows) or NULL */
    float attributes[SNN_MAX_ATTRIBUTES]; /* its float numbers, in the order of the op's table */
    unsigned mapped; /* SNN_MAPPED_ bits: these arrays are not freed, and never written */
} snn_node;

/* A value that a model gives. */
typedef struct snn_output {
    char *name; /* owned */
    int64_t value;
} snn_output;

struct snn_model {
    int is_graph;   /* made node by node over values; 0: a chain, each node takes what the one before gives */
    int64_t inputs; /* features of the first input; 0 without one */
    int64_t outputs; /* features of the first output; of a chain, of the last node */
    int64_t value_count, value_capacity;
    snn_value *values; /* (value_count); of a chain: the input, then what each node gives */
    int64_t input_count, input_capacity;
    int64_t *input_values; /* (input_count) */
    int64_t output_count, output_capacity;
    snn_output *output_values; /* (output_count) */
    int64_t count, capacity;
    snn_node *nodes; /* (count) */
    int borrows;     /* arrays of weights that are added stay the caller's */
    void *map;       /* the file that mapped arrays lie in, or NULL */
    size_t map_bytes;
};

#endif
