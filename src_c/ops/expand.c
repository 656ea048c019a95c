/* Dims of 1 repeated. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>

/* dims (rank - 1): of the result; -1 for that of the operand. */
static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *x = operands[0];
    if (node->integer_count != x->rank - 1)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "expand: dims must be one for each of %s behind the batch, got %d",
                        snn_dims_show(x).text, node->integer_count);
    result->rank = x->rank;
    for (int i = 1; i < x->rank; i++) {
        const int64_t dim = node->integers[i - 1];
        if (dim != -1 && dim != x->dims[i] && (x->dims[i] != 1 || dim < 1))
            return snn_fail(SNN_ERROR_ARGUMENT, "expand: dim %d of %s must be 1 to become %" PRId64, i,
                            snn_dims_show(x).text, dim);
        result->dims[i] = dim == -1 ? x->dims[i] : dim;
    }
    return SNN_OK;
}

static int add_run(void *out, const snn_broadcast_run *run)
{
    snn_move_add(out, (snn_move){0, run->from[0], run->step[0], run->to, run->count, 1});
    return 1;
}

static void moves(const snn_node *node, const snn_value *const *operands, const snn_value *result,
                  snn_moves *out)
{
    (void)node;
    snn_broadcast_runs(operands, 1, result, add_run, out);
}

const snn_op snn_op_expand = {
    .type = SNN_OP_EXPAND,
    .name = "expand",
    .kind = SNN_KIND_MOVE,
    .minor = 3,
    .is_graph = 1,
    .integer_count = 1,
    .integers = {"dims"},
    .takes_list = 1,
    .infer = infer,
    .moves = moves,
};
