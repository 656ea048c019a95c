/* What the recurrent ops share. Their whole numbers begin with SNN_RECURRENT_INTEGERS; the only other number
 * is clip. */
#ifndef SNN_OPS_RECURRENT_H
#define SNN_OPS_RECURRENT_H

#include "graph/op.h"
#include "graph/value.h"

enum { SNN_REVERSE, SNN_INITIAL, SNN_LENGTHS, SNN_STATES, SNN_F, SNN_G, SNN_H };
#define SNN_RECURRENT_INTEGERS "reverse", "initial", "lengths", "states", "f"

/* snn_op.check */
snn_status snn_recurrent_check(const float *attributes);
/* What the whole numbers say of a cell of so many gates, states and activations. */
void snn_recurrent_cell(const snn_node *node, int gates, int states, int activations, snn_cell *cell);
/* snn_op.infer of an op whose cell is known. */
snn_status snn_recurrent_infer(const snn_node *node, const snn_cell *cell, int activations,
                               const snn_value *const *operands, snn_value *result);

#endif
