/* Matrices of the last two axes of a and b, multiplied; "turn_a" and "turn_b": those of an operand the other
 * way round. The axes before are broadcast as in numpy. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>

enum { TURN_A, TURN_B };

/* The axis of the rows of an operand's matrices, and of their columns. */
static int rows_at(const snn_value *value, int64_t turned) { return value->rank - (turned ? 1 : 2); }
static int columns_at(const snn_value *value, int64_t turned) { return value->rank - (turned ? 2 : 1); }

static snn_status check(const snn_node *node, const snn_value *const *operands)
{
    for (int i = 0; i < 2; i++) {
        if (node->integers[i] < 0 || node->integers[i] > 1)
            return snn_fail(SNN_ERROR_ARGUMENT, "matmul: turn_%c must be 0 or 1, got %" PRId64, "ab"[i],
                            node->integers[i]);
        if (operands[i]->rank < 3)
            return snn_fail(SNN_ERROR_ARGUMENT, "matmul: %c must have two axes behind the batch, got %s",
                            "ab"[i], snn_dims_show(operands[i]).text);
    }
    const snn_value *a = operands[0], *b = operands[1];
    if (a->dims[columns_at(a, node->integers[TURN_A])] != b->dims[rows_at(b, node->integers[TURN_B])])
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "matmul: a must have as many columns as b has rows, got %s%s and %s%s",
                        snn_dims_show(a).text, node->integers[TURN_A] ? " turned" : "", snn_dims_show(b).text,
                        node->integers[TURN_B] ? " turned" : "");
    return SNN_OK;
}

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    snn_status status = check(node, operands);
    if (status)
        return status;
    const snn_value *a = operands[0], *b = operands[1];
    snn_value outer[2] = {*a, *b};
    for (int i = 0; i < 2; i++)
        outer[i].dims[outer[i].rank - 1] = outer[i].dims[outer[i].rank - 2] = 1;
    status = snn_broadcast_infer(node, (const snn_value *const[]){&outer[0], &outer[1]}, result);
    if (status)
        return status;
    result->dims[result->rank - 2] = a->dims[rows_at(a, node->integers[TURN_A])];
    result->dims[result->rank - 1] = b->dims[columns_at(b, node->integers[TURN_B])];
    return SNN_OK;
}

/* Floats between neighbours of an operand along an outer axis of the result. */
static int64_t apart(const snn_value *value, const snn_value *result, int axis)
{
    const int own = axis - (result->rank - value->rank);
    return own < 1 || value->dims[own] == 1 ? 0 : snn_dims_product(value, own + 1, value->rank);
}

static void product(const snn_node *node, const snn_value *const *operands, const snn_value *result,
                    snn_product *p)
{
    const snn_value *a = operands[0], *b = operands[1];
    const int64_t turn_a = node->integers[TURN_A], turn_b = node->integers[TURN_B];
    *p = (snn_product){.rows = a->dims[rows_at(a, turn_a)],
                       .depth = a->dims[columns_at(a, turn_a)],
                       .columns = b->dims[columns_at(b, turn_b)],
                       .a_row = turn_a ? 1 : a->dims[a->rank - 1],
                       .a_step = turn_a ? a->dims[a->rank - 1] : 1,
                       .b_step = turn_b ? 1 : b->dims[b->rank - 1],
                       .b_column = turn_b ? b->dims[b->rank - 1] : 1,
                       .outer = snn_dims_product(result, 1, result->rank - 2),
                       .axes = result->rank - 3};
    for (int i = 0; i < p->axes; i++) {
        p->dims[i] = result->dims[i + 1];
        p->a_apart[i] = apart(a, result, i + 1);
        p->b_apart[i] = apart(b, result, i + 1);
    }
}

const snn_op snn_op_matmul = {
    .type = SNN_OP_MATMUL,
    .name = "matmul",
    .kind = SNN_KIND_PRODUCT,
    .minor = 4,
    .is_graph = 1,
    .least_operands = 2,
    .most_operands = 2,
    .integer_count = 2,
    .integers = {"turn_a", "turn_b"},
    .infer = infer,
    .product = product,
};
