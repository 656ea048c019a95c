/* Broadcasting as in numpy: dims are matched from the last on; one of 1 is repeated. */
#include "graph/value.h"
#include "base/status.h"

/* The dim that an operand has where the result has its axis; 1 in front of its own dims. */
static int64_t dim_at(const snn_value *value, int rank, int axis)
{
    const int own = axis - (rank - value->rank);
    return own < 1 ? 1 : value->dims[own];
}

/* Joins the dims of one more operand with those of the result so far. */
static snn_status join(const char *op, const snn_value *so_far, const snn_value *operand, snn_value *result)
{
    const int rank = so_far->rank > operand->rank ? so_far->rank : operand->rank;
    // The batch of an operand of fewer dims would meet another axis than the batch.
    if ((so_far->rank < rank && !so_far->constant) || (operand->rank < rank && !operand->constant))
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: operands must have as many dims, got %s and %s", op,
                        snn_dims_show(so_far).text, snn_dims_show(operand).text);
    snn_value joined = {.rank = rank,
                        .constant = so_far->constant && operand->constant ? so_far->constant : NULL};
    for (int i = 1; i < rank; i++) {
        const int64_t a = dim_at(so_far, rank, i), b = dim_at(operand, rank, i);
        if (a != b && a != 1 && b != 1)
            return snn_fail(SNN_ERROR_ARGUMENT, "%s: operands cannot be broadcast together: %s and %s", op,
                            snn_dims_show(so_far).text, snn_dims_show(operand).text);
        joined.dims[i] = a == 1 ? b : a;
    }
    *result = joined;
    return SNN_OK;
}

snn_status snn_broadcast_infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    snn_value joined = *operands[0];
    snn_status status = SNN_OK;
    for (int64_t k = 1; k < node->operand_count && !status; k++) {
        const snn_value so_far = joined;
        status = join(snn_op_of(node->type)->name, &so_far, operands[k], &joined);
    }
    result->rank = joined.rank;
    for (int i = 1; i < joined.rank; i++)
        result->dims[i] = joined.dims[i];
    return status;
}

/* ---- runs ---- */

/* Whether the operand is repeated along an axis: 1, 0, or -1 where the axis has one place and it is both. */
static int repeats(const snn_value *value, const snn_value *result, int axis)
{
    if (result->dims[axis] == 1)
        return -1;
    return dim_at(value, result->rank, axis) == 1;
}

/* The axes [inner, rank) in which each operand is repeated as a whole, or not at all: a run. */
static int begin_run(const snn_value *const *operands, int count, const snn_value *result,
                     snn_broadcast_run *run)
{
    int whole[SNN_MOST_BROADCAST] = {-1, -1, -1}, inner = result->rank, same = 1;
    *run = (snn_broadcast_run){.count = 1};
    while (inner > 1 && same) {
        int next[SNN_MOST_BROADCAST];
        for (int k = 0; k < count; k++) {
            next[k] = repeats(operands[k], result, inner - 1);
            same &= next[k] < 0 || whole[k] < 0 || next[k] == whole[k];
        }
        for (int k = 0; k < count && same; k++)
            whole[k] = next[k] >= 0 ? next[k] : whole[k];
        if (same)
            run->count *= result->dims[--inner];
    }
    for (int k = 0; k < count; k++)
        run->step[k] = whole[k] != 1;
    return inner;
}

/* Features between neighbours of an operand along an axis of the result; 0 where it is repeated. */
static int64_t stride_at(const snn_value *value, const snn_value *result, int axis)
{
    int64_t stride = 1;
    if (dim_at(value, result->rank, axis) == 1)
        return 0;
    for (int i = axis + 1; i < result->rank; i++)
        stride *= dim_at(value, result->rank, i);
    return stride;
}

int snn_broadcast_runs(const snn_value *const *operands, int operand_count, const snn_value *result,
                       snn_broadcast_visit *visit, void *context)
{
    snn_broadcast_run run;
    const int inner = begin_run(operands, operand_count, result, &run);
    int64_t at[SNN_MAX_RANK] = {0};
    for (;; run.to += run.count) {
        if (!visit(context, &run))
            return 0;
        int axis = inner - 1;
        for (; axis >= 1; axis--) { // the next place of the outer axes
            const int last = ++at[axis] == result->dims[axis];
            for (int k = 0; k < operand_count; k++)
                run.from[k] += stride_at(operands[k], result, axis) * (last ? 1 - at[axis] : 1);
            if (!last)
                break;
            at[axis] = 0;
        }
        if (axis < 1)
            return 1;
    }
}
