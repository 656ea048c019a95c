/* Places in front of an axis and behind it: a number, or what is there, over again. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>
#include <math.h>

enum { AXIS, BEFORE, BEHIND, MODE };
enum { NUMBER, EDGE, REFLECT, WRAP, MODES };
enum { LARGEST = 1 << 24 };

static snn_status check(const float *attributes)
{
    if (!isfinite(attributes[0]))
        return snn_fail(SNN_ERROR_ARGUMENT, "pad: fill must be finite, got %g", (double)attributes[0]);
    return SNN_OK;
}

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *x = operands[0];
    int64_t *at = node->integers;
    const snn_status status = snn_axis_check("pad", x, &at[AXIS]);
    if (status)
        return status;
    const int64_t dim = x->dims[at[AXIS]], most = at[BEFORE] > at[BEHIND] ? at[BEFORE] : at[BEHIND];
    if (at[BEFORE] < 0 || at[BEHIND] < 0 || most > LARGEST || at[MODE] < 0 || at[MODE] >= MODES)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "pad: before and behind must be in [0, %d] and mode in [0, %d], got %" PRId64
                        ", %" PRId64 " and %" PRId64,
                        LARGEST, MODES - 1, at[BEFORE], at[BEHIND], at[MODE]);
    if (dim != SNN_DYNAMIC && ((at[MODE] == REFLECT && most >= dim) || (at[MODE] == WRAP && most > dim)))
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "pad: the %" PRId64 " places of axis %" PRId64 " are too few to fill %" PRId64, dim,
                        at[AXIS], most);
    result->rank = x->rank;
    for (int i = 1; i < x->rank; i++)
        result->dims[i] = x->dims[i];
    if (dim != SNN_DYNAMIC)
        result->dims[at[AXIS]] = dim + at[BEFORE] + at[BEHIND];
    return SNN_OK;
}

/* Places [0, count) of padding, which are the operand's from, step apart, for one outer place. */
static void fill(snn_moves *out, const int64_t *at, int64_t base, int64_t from, int64_t step, int64_t inner,
                 int64_t to, int64_t count)
{
    if (at[MODE] == NUMBER || step == 1 || inner == 1) {
        const int64_t features = count * inner, operand = at[MODE] == NUMBER ? -1 : 0;
        if (features)
            snn_move_add(out, (snn_move){operand, base + from * inner, operand ? 0 : step, to, features, 1});
        return;
    }
    for (int64_t i = 0; i < count; i++)
        snn_move_add(out, (snn_move){0, base + (from + i * step) * inner, 1, to + i * inner, inner, 1});
}

static void moves(const snn_node *node, const snn_value *const *operands, const snn_value *result,
                  snn_moves *out)
{
    static const int64_t steps[MODES] = {0, 0, -1, 1};
    const snn_value *x = operands[0];
    const int64_t *at = node->integers, dim = x->dims[at[AXIS]], step = steps[at[MODE]];
    const int64_t outer = snn_dims_product(x, 1, (int)at[AXIS]);
    const int64_t inner = snn_dims_product(x, (int)at[AXIS] + 1, x->rank);
    const int64_t before = at[MODE] == REFLECT ? at[BEFORE] : at[MODE] == WRAP ? dim - at[BEFORE] : 0;
    const int64_t behind = at[MODE] == REFLECT ? dim - 2 : at[MODE] == WRAP ? 0 : dim - 1;
    for (int64_t o = 0; o < outer; o++) {
        const int64_t base = o * dim * inner, to = o * result->dims[at[AXIS]] * inner;
        fill(out, at, base, before, step, inner, to, at[BEFORE]);
        snn_move_add(out, (snn_move){0, base, 1, to + at[BEFORE] * inner, dim * inner, 1});
        fill(out, at, base, behind, step, inner, to + (at[BEFORE] + dim) * inner, at[BEHIND]);
    }
}

const snn_op snn_op_pad = {
    .type = SNN_OP_PAD,
    .name = "pad",
    .kind = SNN_KIND_MOVE,
    .minor = 3,
    .is_graph = 1,
    .integer_count = 4,
    .integers = {"axis", "before", "behind", "mode"},
    .attribute_count = 1,
    .attributes = {"fill"},
    .check = check,
    .infer = infer,
    .moves = moves,
};
