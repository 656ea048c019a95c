/* How the core itself puts a model together: from arrays that are handed over instead of copied. */
#ifndef SNN_MODEL_BUILD_H
#define SNN_MODEL_BUILD_H

#include "graph/model.h"

#define SNN_MAX_WIDTH INT32_MAX /* rows and columns of a weight */
#define SNN_MAX_NAME 255        /* bytes of the name of a value */

/* SNN_OK when value is in [1, SNN_MAX_WIDTH]; the message calls it name. */
snn_status snn_width_check(const char *name, int64_t value);
/* A linear node with the arrays, which are checked: copies of them, or borrowed as SNN_MAPPED_ bits say.
 * Freed with snn_node_clear. */
snn_status snn_node_make_dense(int64_t rows, int64_t cols, const float *weight, const float *bias, int borrow,
                               snn_node *node);
snn_status snn_node_make_csr(int64_t rows, int64_t cols, const int64_t *indptr, const int32_t *indices,
                             const float *data, const float *bias, int borrow, snn_node *node);
/* Gives a node that has none the arrays of one that was made. */
void snn_node_set_arrays(snn_node *node, snn_node made);
/* Appends *node to a chain; its arrays then belong to the model. The node is valid and its inputs are the
 * model's present outputs. On failure (SNN_ERROR_MEMORY) the arrays stay the caller's. */
snn_status snn_model_take(snn_model *model, const snn_node *node);
/* Appends *node to a graph; its arrays then belong to the model. type, integers (integer_count), attributes
 * and, for a linear node, inputs and outputs are set; operands are given beside it, and may be no values of
 * the model. All of it is checked (SNN_ERROR_ARGUMENT, _UNSUPPORTED). On failure the arrays stay the
 * caller's. name: of the value that the node gives, or NULL. */
snn_status snn_model_take_at(snn_model *model, const snn_node *node, const int64_t *operands,
                             int64_t operand_count, const char *name);
/* Frees a node's own arrays, not the node. */
void snn_node_clear(snn_node *node);

/* model.c: appending to the lists. Names are copied and checked; all else is valid. On failure
 * (SNN_ERROR_MEMORY, or SNN_ERROR_ARGUMENT for a name) arrays stay the caller's and nothing has changed. */
snn_status snn_model_create_empty(int is_graph, snn_model **model);
snn_status snn_model_add_value(snn_model *model, const snn_value *value, const char *name);
snn_status snn_model_append_input(snn_model *model, const snn_value *value, const char *name);
snn_status snn_model_append_output(snn_model *model, const char *name, int64_t value);
snn_status snn_model_append(snn_model *model, const snn_node *node, const int64_t *operands, int64_t count,
                            const snn_value *result, const char *name);

/* shape.c: the same values, nodes and outputs. dims NULL: without the arrays of nodes. Else for inputs of
 * these dims, those behind the batch of each, all of it checked anew; nodes read the arrays of model, which
 * must outlive the copy. share: so do its constants, tables of words among them. */
snn_status snn_model_copy(const snn_model *model, const int64_t *const *dims, int share, snn_model **copy);
/* Whether an input has dims behind the batch that are not fixed. */
int snn_model_is_dynamic(const snn_model *model);
/* bind.c: SNN_OK when dims, those behind the batch of each input, are fixed ones that fit the inputs' own. */
snn_status snn_model_check_dims(const snn_model *model, const int64_t *const *dims);
/* snn_model_copy for dims that are checked; a failure names the inputs. */
snn_status snn_model_bind(const snn_model *model, const int64_t *const *dims, snn_model **bound);
/* readers (value_count): how often each value is an output or is read by a node that an output needs. A node
 * whose value has none is not needed. */
void snn_model_count_readers(const snn_model *model, int64_t *readers);

#endif
