/* What a model file says of a model: its header, and its tensors in their order. */
#ifndef SNN_FORMAT_TEXT_H
#define SNN_FORMAT_TEXT_H

#include "file/format.h"
#include "file/text.h"

/* A tensor of the file: of a node, or a constant of a graph. */
typedef struct snn_tensor {
    int64_t entry; /* its place in the node list */
    snn_part part;
    const snn_node *node;      /* NULL: a constant */
    const snn_value *constant; /* NULL: of a node */
    const void *array;
    int64_t count;
    uint64_t size; /* bytes of an element */
} snn_tensor;

/* Calls visit for every tensor of the model, in the order of the file. */
typedef snn_status snn_visit_tensor(void *context, const snn_tensor *tensor);
snn_status snn_each_tensor(const snn_model *model, snn_visit_tensor *visit, void *context);
/* Entries of the node list: a chain's nodes, a graph's values. */
int64_t snn_entry_count(const snn_model *model);
/* The header, padded to a multiple of 8 bytes; cleared by the caller, on failure too. */
snn_status snn_header_write(const snn_model *model, snn_text *header);

#endif
