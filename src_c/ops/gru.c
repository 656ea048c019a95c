/* The gated recurrent unit, its gates in the order update, reset, new.
 * Source: Cho et al. 2014, arXiv:1406.1078. */
#include "ops/recurrent.h"

static void cell(const snn_node *node, snn_cell *cell)
{
    snn_recurrent_cell(node, 3, 1, 2, cell);
    cell->resets_after = node->integers[SNN_G + 1] != 0;
}

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    snn_cell own;
    cell(node, &own);
    return snn_recurrent_infer(node, &own, 2, operands, result);
}

const snn_op snn_op_gru = {
    .type = SNN_OP_GRU,
    .name = "gru",
    .kind = SNN_KIND_MATRIX,
    .minor = 3,
    .is_graph = 1,
    .most_operands = 3,
    .integer_count = 7,
    .integers = {SNN_RECURRENT_INTEGERS, "g", "reset_after"},
    .attribute_count = 1,
    .attributes = {"clip"},
    .check = snn_recurrent_check,
    .infer = infer,
    .cell = cell,
};
