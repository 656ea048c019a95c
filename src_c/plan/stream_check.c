/* Which models can be fed step by step (stream.h): steps are the one dynamic dim of a value behind the batch,
 * and each op is known to keep them apart. */
#include "base/status.h"
#include "graph/value.h"
#include "plan/stream.h"

#include <string.h>

/* The axis of the steps of a value; 0 where there are none, -1 where more than one dim is dynamic. */
static int steps_axis(const snn_value *value)
{
    int found = 0;
    for (int i = 1; i < value->rank && !value->constant; i++)
        if (value->dims[i] == SNN_DYNAMIC)
            found = found ? -1 : i;
    return found;
}

static snn_status refuse(const char *what, const char *name)
{
    return snn_fail(SNN_ERROR_UNSUPPORTED, "a stream needs %s, got %s", what, name);
}

static snn_status check_port(const snn_value *value, const char *name)
{
    if (steps_axis(value) == 1)
        return SNN_OK;
    return snn_fail(SNN_ERROR_UNSUPPORTED,
                    "a stream needs an open number of steps, the one dynamic dim behind the batch, of each "
                    "input and output, got \"%.60s\" %s",
                    name ? name : "", snn_dims_show(value).text);
}

static int is_forward(const snn_model *model, const snn_node *node)
{
    snn_cell cell;
    snn_op_of(node->type)->cell(node, &cell);
    int constant = 1;
    for (int i = 0; cell.has_initial && i < cell.states; i++)
        constant &= model->values[node->operands[1 + i]].constant != NULL;
    return constant && !cell.reverse && !cell.has_lengths && !cell.gives_states;
}

/* A window that is one step, which stays where it is: of images (channels, height, width), of which either
 * may be the steps, or of (steps, features). */
static int is_single(const snn_node *node, const snn_op *op, const snn_value *operand)
{
    snn_window w;
    memset(&w, 0, sizeof w);
    op->window(node, operand, &w);
    const int rows = w.kernel_h == 1 && w.stride_h == 1 && !w.pad_top && !w.pad_bottom;
    const int columns = w.kernel_w == 1 && w.stride_w == 1 && !w.pad_left && !w.pad_right;
    const int axis = steps_axis(operand);
    if (operand->rank == 4)
        return axis == 2 ? rows : axis == 3 && columns;
    return op->kind == SNN_KIND_MATRIX && rows && columns;
}

/* Floats of a value on one side of its steps. */
static int64_t beside(const snn_value *value, int first, int end)
{
    int64_t count = 1;
    for (int i = first; i < end; i++)
        count *= value->dims[i];
    return count;
}

/* Other dims of the same numbers, the steps where they were among them. */
static int keeps_order(const snn_value *from, const snn_value *to)
{
    const int a = steps_axis(from), b = steps_axis(to);
    return beside(from, 1, a) == beside(to, 1, b) &&
           beside(from, a + 1, from->rank) == beside(to, b + 1, to->rank);
}

/* Of values that are paired: each has its steps where the result has them, or is the same for all. */
static int is_aligned(const snn_value *operand, const snn_value *result)
{
    const int axis = steps_axis(operand), behind = result->rank - steps_axis(result);
    if (axis)
        return axis > 0 && operand->rank - axis == behind;
    return operand->rank < behind || operand->dims[operand->rank - behind] == 1;
}

static int keeps_steps(const snn_model *model, const snn_node *node)
{
    const snn_op *op = snn_op_of(node->type);
    const snn_value *result = &model->values[node->value], *first = &model->values[node->operands[0]];
    const int axis = steps_axis(result);
    if (axis < 1 || steps_axis(first) < 0 || (!steps_axis(first) && op->kind != SNN_KIND_PAIR))
        return 0;
    if (op->cell)
        return is_forward(model, node) && steps_axis(first) == 1;
    if (op->window)
        return is_single(node, op, first);
    int aligned = 1;
    switch (op->kind) {
    case SNN_KIND_POINTWISE: return 1;
    case SNN_KIND_PAIR:
        for (int64_t i = 0; i < node->operand_count; i++)
            aligned &= is_aligned(&model->values[node->operands[i]], result);
        return aligned;
    case SNN_KIND_VIEW: return keeps_order(first, result);
    case SNN_KIND_AXIS_NORM: return node->integers[0] != axis;
    case SNN_KIND_REDUCE: return axis < node->integers[0] || axis > node->integers[1];
    default: break;
    }
    switch (op->type) {
    case SNN_OP_TRANSPOSE: return 1;
    case SNN_OP_SOFTMAX: return axis != result->rank - 1;
    case SNN_OP_SOFTMAX_AXIS:
    case SNN_OP_PAD:
    case SNN_OP_SLICE: return node->integers[0] != axis;
    case SNN_OP_CONCAT:
        for (int64_t i = 0; i < node->operand_count; i++)
            aligned &= steps_axis(&model->values[node->operands[i]]) == axis;
        return aligned && node->integers[0] != axis;
    default: return 0;
    }
}

snn_status snn_stream_check(const snn_model *model)
{
    int cells = 0;
    for (int64_t i = 0; i < model->count; i++)
        cells += snn_op_of(model->nodes[i].type)->cell != NULL;
    if (!cells)
        return refuse("a recurrent layer", "a model without one");
    for (int64_t i = 0; i < model->input_count; i++) {
        const snn_value *value = &model->values[model->input_values[i]];
        if (check_port(value, value->name))
            return SNN_ERROR_UNSUPPORTED;
    }
    for (int64_t i = 0; i < model->output_count; i++)
        if (check_port(&model->values[model->output_values[i].value], model->output_values[i].name))
            return SNN_ERROR_UNSUPPORTED;
    for (int64_t i = 0; i < model->count; i++)
        if (!keeps_steps(model, &model->nodes[i]))
            return refuse("layers that keep steps apart, and recurrent ones that go forward from constant "
                          "states without lengths",
                          snn_op_of(model->nodes[i].type)->name);
    return SNN_OK;
}
