/* The first places of a constant along "axis", as many as x has along axis "of": how a table of positions is
 * cut to a sequence. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>

enum { AXIS, OF };

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *table = operands[0], *x = operands[1];
    if (!table->constant || x->constant)
        return snn_fail(SNN_ERROR_ARGUMENT, "prefix: takes a constant and a value, got %s and %s",
                        snn_dims_show(table).text, snn_dims_show(x).text);
    snn_status status = snn_axis_check("prefix", table, &node->integers[AXIS]);
    if (!status)
        status = snn_axis_check("prefix", x, &node->integers[OF]);
    if (status)
        return status;
    const int64_t axis = node->integers[AXIS], places = x->dims[node->integers[OF]];
    if (places > table->dims[axis])
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "prefix: the constant has %" PRId64 " places along axis %" PRId64 ", got %s",
                        table->dims[axis], axis, snn_dims_show(x).text);
    result->dims[axis] = places;
    return SNN_OK;
}

static void moves(const snn_node *node, const snn_value *const *operands, const snn_value *result,
                  snn_moves *out)
{
    const snn_value *table = operands[0];
    const int axis = (int)node->integers[AXIS];
    const int64_t outer = snn_dims_product(table, 1, axis);
    const int64_t whole = snn_dims_product(table, axis, table->rank);
    const int64_t kept = snn_dims_product(result, axis, result->rank);
    for (int64_t i = 0; i < outer; i++)
        snn_move_add(out, (snn_move){0, i * whole, 1, i * kept, kept, 1});
}

const snn_op snn_op_prefix = {
    .type = SNN_OP_PREFIX,
    .name = "prefix",
    .kind = SNN_KIND_MOVE,
    .minor = 4,
    .is_graph = 1,
    .least_operands = 2,
    .most_operands = 2,
    .integer_count = 2,
    .integers = {"axis", "of"},
    .infer = infer,
    .moves = moves,
};
