/* Operands one after the other along an axis. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *first = operands[0];
    const snn_status status = snn_axis_check("concat", first, &node->integers[0]);
    if (status)
        return status;
    const int axis = (int)node->integers[0];
    result->rank = first->rank;
    for (int i = 1; i < first->rank; i++)
        result->dims[i] = first->dims[i];
    for (int64_t k = 1; k < node->operand_count; k++) {
        int fits = operands[k]->rank == first->rank;
        for (int i = 1; fits && i < first->rank; i++)
            fits = i == axis || operands[k]->dims[i] == first->dims[i];
        if (!fits)
            return snn_fail(SNN_ERROR_ARGUMENT,
                            "concat: operand %" PRId64 " must be as operand 0 but for axis %d, %s, got %s", k,
                            axis, snn_dims_show(first).text, snn_dims_show(operands[k]).text);
        const int64_t dim = operands[k]->dims[axis];
        result->dims[axis] =
            dim == SNN_DYNAMIC || result->dims[axis] == SNN_DYNAMIC ? SNN_DYNAMIC : result->dims[axis] + dim;
    }
    return SNN_OK;
}

static void moves(const snn_node *node, const snn_value *const *operands, const snn_value *result,
                  snn_moves *out)
{
    (void)result;
    const int axis = (int)node->integers[0];
    const int64_t outer = snn_dims_product(operands[0], 1, axis);
    int64_t to = 0;
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t k = 0; k < node->operand_count; k++) {
            const int64_t count = snn_dims_product(operands[k], axis, operands[k]->rank);
            snn_move_add(out, (snn_move){k, o * count, 1, to, count, 1});
            to += count;
        }
    }
}

const snn_op snn_op_concat = {
    .type = SNN_OP_CONCAT,
    .name = "concat",
    .kind = SNN_KIND_MOVE,
    .is_graph = 1,
    .least_operands = 1,
    .most_operands = INT32_MAX,
    .integer_count = 1,
    .integers = {"axis"},
    .infer = infer,
    .moves = moves,
};
