/* The simple recurrent layer: an activation of the sum.
 * Source: Elman 1990, Finding Structure in Time. */
#include "ops/recurrent.h"

static void cell(const snn_node *node, snn_cell *cell) { snn_recurrent_cell(node, 1, 1, 1, cell); }

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    snn_cell own;
    cell(node, &own);
    return snn_recurrent_infer(node, &own, 1, operands, result);
}

const snn_op snn_op_rnn = {
    .type = SNN_OP_RNN,
    .name = "rnn",
    .kind = SNN_KIND_MATRIX,
    .minor = 3,
    .is_graph = 1,
    .most_operands = 3,
    .integer_count = 5,
    .integers = {SNN_RECURRENT_INTEGERS},
    .attribute_count = 1,
    .attributes = {"clip"},
    .check = snn_recurrent_check,
    .infer = infer,
    .cell = cell,
};
