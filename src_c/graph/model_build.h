/* How the core itself puts a model together: from arrays that are handed over instead of copied. */
#ifndef SNN_MODEL_BUILD_H
#define SNN_MODEL_BUILD_H

#include "graph/model.h"

#define SNN_MAX_WIDTH INT32_MAX /* rows and columns of a weight */

/* SNN_OK when value is in [1, SNN_MAX_WIDTH]; the message calls it name. */
snn_status snn_width_check(const char *name, int64_t value);
/* Appends *node, whose arrays then belong to the model. The node is valid and its inputs are the model's
 * present outputs. On failure (SNN_ERROR_MEMORY) the arrays stay the caller's. */
snn_status snn_model_take(snn_model *model, const snn_node *node);
/* Frees a node's own arrays, not the node. */
void snn_node_clear(snn_node *node);

#endif
