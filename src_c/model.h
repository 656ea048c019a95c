/* A model inside the core: nodes in execution order, every array owned. Valid by construction. */
#ifndef SNN_MODEL_H
#define SNN_MODEL_H

#include "sparsenn.h"

typedef struct snn_node {
    snn_node_type type;
    int64_t inputs, outputs;
    int sparse;
    int64_t nnz;
    float *weight;     /* (outputs, inputs) or NULL */
    int64_t *indptr;   /* (outputs + 1) or NULL */
    int32_t *indices;  /* (nnz) or NULL */
    float *data;       /* (nnz) or NULL */
    float *bias;       /* (outputs) or NULL */
    float low, high;
} snn_node;

struct snn_model {
    int64_t inputs;   /* width of the first node's input */
    int64_t outputs;  /* width of the last node's output */
    int64_t count, capacity;
    snn_node *nodes;  /* (count) */
};

#endif
