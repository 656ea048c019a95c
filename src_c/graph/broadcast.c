/* Broadcasting as in numpy: dims are matched from the last on; one of 1 is repeated. */
#include "graph/value.h"
#include "base/status.h"

/* The dim that an operand has where the result has its axis; 1 in front of its own dims. */
static int64_t dim_at(const snn_value *value, int rank, int axis)
{
    const int own = axis - (rank - value->rank);
    return own < 1 ? 1 : value->dims[own];
}

snn_status snn_broadcast_infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *a = operands[0], *b = operands[1];
    const char *op = snn_op_of(node->type)->name;
    // The batch of an operand of fewer dims would meet another axis than the batch.
    if (a->rank != b->rank && !(a->constant && a->rank < b->rank) && !(b->constant && b->rank < a->rank))
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: operands must have as many dims, got %s and %s", op,
                        snn_dims_show(a).text, snn_dims_show(b).text);
    result->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 1; i < result->rank; i++) {
        const int64_t from_a = dim_at(a, result->rank, i), from_b = dim_at(b, result->rank, i);
        if (from_a != from_b && from_a != 1 && from_b != 1)
            return snn_fail(SNN_ERROR_ARGUMENT, "%s: operands cannot be broadcast together: %s and %s", op,
                            snn_dims_show(a).text, snn_dims_show(b).text);
        result->dims[i] = from_a == 1 ? from_b : from_a;
    }
    return SNN_OK;
}

/* How a run of equal treatment looks: the axes [inner, rank) in which each operand is repeated as a whole, or
 * not at all. */
typedef struct walk {
    const snn_value *a, *b, *result;
    int inner;
    int64_t count, a_step, b_step;
} walk;

/* Whether the operand is repeated along an axis: 1, 0, or -1 where the axis has one place and it is both. */
static int repeats(const snn_value *value, const snn_value *result, int axis)
{
    if (result->dims[axis] == 1)
        return -1;
    return dim_at(value, result->rank, axis) == 1;
}

static walk plan_walk(const snn_value *a, const snn_value *b, const snn_value *result)
{
    int a_repeats = -1, b_repeats = -1;
    walk w = {.a = a, .b = b, .result = result, .inner = result->rank, .count = 1};
    for (; w.inner > 1; w.inner--) {
        const int next_a = repeats(a, result, w.inner - 1), next_b = repeats(b, result, w.inner - 1);
        if ((next_a >= 0 && a_repeats >= 0 && next_a != a_repeats) ||
            (next_b >= 0 && b_repeats >= 0 && next_b != b_repeats))
            break;
        a_repeats = next_a >= 0 ? next_a : a_repeats;
        b_repeats = next_b >= 0 ? next_b : b_repeats;
        w.count *= result->dims[w.inner - 1];
    }
    w.a_step = a_repeats != 1;
    w.b_step = b_repeats != 1;
    return w;
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

int snn_broadcast_runs(const snn_value *a, const snn_value *b, const snn_value *result, snn_pair_visit *visit,
                       void *context)
{
    const walk w = plan_walk(a, b, result);
    int64_t at[SNN_MAX_RANK] = {0};
    snn_pair_run run = {.a_step = w.a_step, .b_step = w.b_step, .count = w.count};
    for (;;) {
        if (!visit(context, &run))
            return 0;
        int axis = w.inner - 1;
        for (; axis >= 1; axis--) { // the next place of the outer axes
            const int64_t a_stride = stride_at(a, result, axis), b_stride = stride_at(b, result, axis);
            run.a += a_stride;
            run.b += b_stride;
            if (++at[axis] < result->dims[axis])
                break;
            run.a -= a_stride * at[axis];
            run.b -= b_stride * at[axis];
            at[axis] = 0;
        }
        if (axis < 1)
            return 1;
        run.to += w.count;
    }
}
