#include "ops/recurrent.h"

#include "base/status.h"

#include <inttypes.h>
#include <math.h>

/* By the numbers of files. */
static const int activation_ops[] = {SNN_OP_SIGMOID, SNN_OP_TANH,       SNN_OP_RELU,     SNN_OP_HARD_SIGMOID,
                                     SNN_OP_ELU,     SNN_OP_LEAKY_RELU, SNN_OP_SOFTPLUS, SNN_OP_LINEAR};
enum { ACTIVATIONS = sizeof activation_ops / sizeof *activation_ops };

snn_status snn_recurrent_check(const float *attributes)
{
    if (!(attributes[0] >= 0.0f && isfinite(attributes[0])))
        return snn_fail(SNN_ERROR_ARGUMENT, "clip must be finite and at least 0, which is none, got %g",
                        (double)attributes[0]);
    return SNN_OK;
}

void snn_recurrent_cell(const snn_node *node, int gates, int states, int activations, snn_cell *cell)
{
    const int64_t *numbers = node->integers;
    *cell = (snn_cell){.hidden = node->cols,
                       .gates = gates,
                       .states = states,
                       .reverse = numbers[SNN_REVERSE] != 0,
                       .has_initial = numbers[SNN_INITIAL] != 0,
                       .has_lengths = numbers[SNN_LENGTHS] != 0,
                       .gives_states = numbers[SNN_STATES] != 0};
    for (int i = 0; i < activations; i++)
        cell->activations[i] = activation_ops[(uint64_t)numbers[SNN_F + i] % ACTIVATIONS];
}

static snn_status check_numbers(const snn_node *node, int activations)
{
    const char *name = snn_op_of(node->type)->name;
    for (int i = 0; i < node->integer_count; i++) {
        const int is_activation = i >= SNN_F && i < SNN_F + activations;
        const int64_t most = is_activation ? ACTIVATIONS - 1 : 1;
        if (node->integers[i] < 0 || node->integers[i] > most)
            return snn_fail(SNN_ERROR_ARGUMENT, "%s: %s must be in [0, %" PRId64 "], got %" PRId64, name,
                            snn_op_of(node->type)->integers[i], most, node->integers[i]);
    }
    return SNN_OK;
}

/* Whether a value is (batch, features). */
static int is_vector(const snn_value *value, int64_t features)
{
    return value->rank == 2 && value->dims[1] == features;
}

static snn_status fail_operand(const char *op, const char *name, const snn_value *value, const char *wanted,
                               int64_t features)
{
    return snn_fail(SNN_ERROR_ARGUMENT, "%s: %s must have dims (batch, %s%" PRId64 "), got %s", op, name,
                    wanted, features, snn_dims_show(value).text);
}

/* Those behind the first. */
static snn_status check_operands(const char *op, const snn_cell *cell, const snn_value *const *operands)
{
    static const char *const states[] = {"the initial h", "the initial c"};
    int64_t next = 1;
    for (int i = 0; cell->has_initial && i < cell->states; i++, next++)
        if (!is_vector(operands[next], cell->hidden))
            return fail_operand(op, states[i], operands[next], "", cell->hidden);
    if (cell->has_lengths && !is_vector(operands[next++], 1))
        return fail_operand(op, "lengths", operands[next - 1], "", 1);
    if (cell->has_peepholes && !(is_vector(operands[next], 3 * cell->hidden) && operands[next]->constant))
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: peepholes must be a constant of %" PRId64 ", got %s", op,
                        3 * cell->hidden, snn_dims_show(operands[next]).text);
    return SNN_OK;
}

snn_status snn_recurrent_infer(const snn_node *node, const snn_cell *cell, int activations,
                               const snn_value *const *operands, snn_value *result)
{
    const char *op = snn_op_of(node->type)->name;
    const snn_value *x = operands[0];
    const snn_status status = check_numbers(node, activations);
    if (status)
        return status;
    const int64_t wanted = 1 + cell->has_initial * cell->states + cell->has_lengths + cell->has_peepholes;
    if (node->rows != cell->gates * cell->hidden)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "%s: the weight must have %d rows for each of its %" PRId64 " columns, got %" PRId64,
                        op, cell->gates, cell->hidden, node->rows);
    if (node->operand_count != wanted)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: must have %" PRId64 " operands as it says, got %" PRId64, op,
                        wanted, node->operand_count);
    if (x->constant || x->rank != 3 || x->dims[2] != node->rows)
        return fail_operand(op, "operand", x, "steps, ", node->rows);
    result->rank = 3;
    result->dims[1] = x->dims[1];
    result->dims[2] = cell->hidden;
    if (cell->gives_states && x->dims[1] != SNN_DYNAMIC)
        result->dims[1] += cell->states;
    return check_operands(op, cell, operands);
}
