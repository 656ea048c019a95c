/* Long short-term memory, its gates in the order input, output, forget, cell.
 * Source: Hochreiter and Schmidhuber 1997; peepholes: Gers and Schmidhuber 2000. */
#include "ops/recurrent.h"

static void cell(const snn_node *node, snn_cell *cell)
{
    snn_recurrent_cell(node, 4, 2, 3, cell);
    cell->has_peepholes = node->integers[SNN_H + 1] != 0;
}

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    snn_cell own;
    cell(node, &own);
    return snn_recurrent_infer(node, &own, 3, operands, result);
}

const snn_op snn_op_lstm = {
    .type = SNN_OP_LSTM,
    .name = "lstm",
    .kind = SNN_KIND_MATRIX,
    .minor = 3,
    .is_graph = 1,
    .most_operands = 5,
    .integer_count = 8,
    .integers = {SNN_RECURRENT_INTEGERS, "g", "h", "peepholes"},
    .attribute_count = 1,
    .attributes = {"clip"},
    .check = snn_recurrent_check,
    .infer = infer,
    .cell = cell,
};
