/* A model inside the core: nodes in execution order, arrays owned or in a mapped file. Valid by construction.
 */
#ifndef SNN_MODEL_H
#define SNN_MODEL_H

#include "graph/op.h"

/* Arrays of a node that lie in the model's mapped file: a bit for each snn_part, in its order. */
enum {
    SNN_MAPPED_WEIGHT = 1,
    SNN_MAPPED_DATA = 2,
    SNN_MAPPED_INDICES = 4,
    SNN_MAPPED_INDPTR = 8,
    SNN_MAPPED_BIAS = 16
};

typedef struct snn_node {
    int type; /* SNN_OP_... */
    int64_t inputs, outputs;
    int sparse;
    int64_t nnz;
    float *weight;                        /* (outputs, inputs) or NULL */
    int64_t *indptr;                      /* (outputs + 1) or NULL */
    int32_t *indices;                     /* (nnz) or NULL */
    float *data;                          /* (nnz) or NULL */
    float *bias;                          /* (outputs) or NULL */
    float attributes[SNN_MAX_ATTRIBUTES]; /* in the order of the op's table */
    unsigned mapped; /* SNN_MAPPED_ bits: these arrays are not freed, and never written */
} snn_node;

struct snn_model {
    int64_t inputs;  /* width of the first node's input */
    int64_t outputs; /* width of the last node's output */
    int64_t count, capacity;
    snn_node *nodes; /* (count) */
    void *map;       /* the file that mapped arrays lie in, or NULL */
    size_t map_bytes;
};

#endif
