/* Places start, start + step, ... below end of an axis. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>

enum { AXIS, START, END, STEP };

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *x = operands[0];
    int64_t *at = node->integers;
    const snn_status status = snn_axis_check("slice", x, &at[AXIS]);
    if (status)
        return status;
    const int axis = (int)at[AXIS];
    const int64_t dim = x->dims[axis];
    const int known = dim != SNN_DYNAMIC; // else they stay as they are, until it is
    for (int i = START; i <= END && known; i++) {
        if (at[i] < 0)
            at[i] = at[i] < -dim ? 0 : at[i] + dim;
        if (at[i] > dim)
            at[i] = dim;
    }
    const int may_be_empty = !known && (at[START] < 0) != (at[END] < 0);
    if (at[STEP] < 1 || (at[START] >= at[END] && !may_be_empty))
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "slice: must take at least one of %" PRId64 " places, with a step of at least 1, got "
                        "start %" PRId64 ", end %" PRId64 ", step %" PRId64,
                        dim, at[START], at[END], at[STEP]);
    result->rank = x->rank;
    for (int i = 1; i < x->rank; i++)
        result->dims[i] = x->dims[i];
    // One place of whatever size: a size that has not that place is refused once it is known.
    const int is_one =
        (!may_be_empty && at[END] - at[START] == 1) || (at[START] == -1 && at[END] >= INT32_MAX);
    result->dims[axis] = known ? (at[END] - at[START] - 1) / at[STEP] + 1 : is_one ? 1 : SNN_DYNAMIC;
    return SNN_OK;
}

static void moves(const snn_node *node, const snn_value *const *operands, const snn_value *result,
                  snn_moves *out)
{
    (void)result;
    const snn_value *x = operands[0];
    const int axis = (int)node->integers[AXIS];
    const int64_t start = node->integers[START], end = node->integers[END], step = node->integers[STEP];
    const int64_t outer = snn_dims_product(x, 1, axis), inner = snn_dims_product(x, axis + 1, x->rank);
    const int64_t dim = x->dims[axis], count = (end - start - 1) / step + 1;
    for (int64_t o = 0; o < outer; o++) {
        const int64_t from = (o * dim + start) * inner, to = o * count * inner;
        if (step == 1 || inner == 1)
            snn_move_add(out, (snn_move){0, from, step, to, count * inner, 1});
        else
            for (int64_t i = 0; i < count; i++)
                snn_move_add(out, (snn_move){0, from + i * step * inner, 1, to + i * inner, inner, 1});
    }
}

const snn_op snn_op_slice = {
    .type = SNN_OP_SLICE,
    .name = "slice",
    .kind = SNN_KIND_MOVE,
    .is_graph = 1,
    .integer_count = 4,
    .takes_negative = 1,
    .integers = {"axis", "start", "end", "step"},
    .infer = infer,
    .moves = moves,
};
