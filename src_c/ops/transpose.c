/* Axes behind the batch in another order: axis i of the result is axis axes[i - 1] of the operand. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>
#include <string.h>

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *x = operands[0];
    int seen[SNN_MAX_RANK] = {0};
    if (node->integer_count != x->rank - 1)
        return snn_fail(SNN_ERROR_ARGUMENT, "transpose: axes must name the %d axes behind the batch, got %d",
                        x->rank - 1, node->integer_count);
    result->rank = x->rank;
    for (int i = 0; i < node->integer_count; i++) {
        const snn_status status = snn_axis_check("transpose", x, &node->integers[i]);
        if (status)
            return status;
        const int64_t axis = node->integers[i];
        if (seen[axis]++)
            return snn_fail(SNN_ERROR_ARGUMENT,
                            "transpose: axes must name each axis once, got %" PRId64 " twice", axis);
        result->dims[i + 1] = x->dims[axis];
    }
    return SNN_OK;
}

/* Features next to each other in the result, or in the operand: whichever are more. */
static void moves(const snn_node *node, const snn_value *const *operands, const snn_value *result,
                  snn_moves *out)
{
    const snn_value *x = operands[0];
    const int last = x->rank - 1;
    int64_t from[SNN_MAX_RANK], to[SNN_MAX_RANK], dims[SNN_MAX_RANK], at[SNN_MAX_RANK] = {0};
    int order[SNN_MAX_RANK], inner = last; // of the result's axes, the innermost last
    for (int i = 1; i <= last; i++) {
        const int axis = (int)node->integers[i - 1];
        order[i] = i;
        dims[i] = x->dims[axis];
        from[i] = snn_dims_product(x, axis + 1, x->rank);
        to[i] = snn_dims_product(result, i + 1, result->rank);
        inner = axis == last && dims[i] > result->dims[last] ? i : inner;
    }
    memmove(order + inner, order + inner + 1, (size_t)(last - inner) * sizeof *order);
    order[last] = inner;
    snn_move move = {0, 0, from[inner], 0, dims[inner], to[inner]};
    for (;;) {
        snn_move_add(out, move);
        int k = last - 1;
        for (; k >= 1; k--) {
            const int axis = order[k];
            move.from += from[axis];
            move.to += to[axis];
            if (++at[axis] < dims[axis])
                break;
            move.from -= from[axis] * dims[axis];
            move.to -= to[axis] * dims[axis];
            at[axis] = 0;
        }
        if (k < 1)
            return;
    }
}

const snn_op snn_op_transpose = {
    .type = SNN_OP_TRANSPOSE,
    .name = "transpose",
    .kind = SNN_KIND_MOVE,
    .is_graph = 1,
    .integer_count = 1,
    .integers = {"axes"},
    .takes_list = 1,
    .infer = infer,
    .moves = moves,
};
