/* Axes behind the batch in another order: axis i of the result is axis axes[i - 1] of the operand. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>

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

static void moves(const snn_node *node, const snn_value *const *operands, const snn_value *result,
                  snn_moves *out)
{
    (void)result;
    const snn_value *x = operands[0];
    int64_t strides[SNN_MAX_RANK], dims[SNN_MAX_RANK], at[SNN_MAX_RANK] = {0}, from = 0, to = 0;
    const int last = x->rank - 1;
    for (int i = 1; i <= last; i++) {
        const int axis = (int)node->integers[i - 1];
        dims[i] = x->dims[axis];
        strides[i] = snn_dims_product(x, axis + 1, x->rank);
    }
    for (;;) {
        snn_move_add(out, (snn_move){0, from, strides[last], to, dims[last]});
        to += dims[last];
        int axis = last - 1;
        for (; axis >= 1; axis--) {
            from += strides[axis];
            if (++at[axis] < dims[axis])
                break;
            from -= strides[axis] * dims[axis];
            at[axis] = 0;
        }
        if (axis < 1)
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
