/* Recurrent cells in random graphs. */
#ifndef SNN_TEST_PERTURBED_RECURRENT_H
#define SNN_TEST_PERTURBED_RECURRENT_H

#include "perturbed_window.h"

enum { MOST_UNITS = 64, CELL_NUMBERS = 8 };

/* A constant of so many numbers. */
static int64_t cell_constant(random_model *m, int64_t count)
{
    static float data[3 * MOST_UNITS];
    int64_t value = 0;
    for (int64_t i = 0; i < count; i++)
        data[i] = chance_value();
    CHECK_OK(snn_model_add_constant(m->model, &count, 1, data, &value));
    return value;
}

/* Features that are several steps of any cell whose units more than one thread shares. */
static int64_t sequence_size(void) { return 12 * (17 + chance(5)); }

/* Units of a cell that takes x as steps, mostly so many that threads share them; 0 where there is no such
 * size. */
static int64_t random_units(const random_model *m, int64_t x, int64_t gates)
{
    const int64_t features = snn_value_features(&m->model->values[x]);
    const int64_t least = chance(4) ? 17 : 1, steps = chance(4) ? 2 : 1;
    for (int64_t hidden = least; hidden <= MOST_UNITS && gates * hidden * steps <= features; hidden++)
        if (features % (gates * hidden) == 0)
            return hidden;
    return features % gates ? 0 : 1;
}

static void try_recurrent(random_model *m)
{
    static const char *const ops[] = {"lstm", "gru", "rnn"};
    static const int64_t gates[] = {4, 3, 1}, numbers[] = {8, 7, 5};
    const int kind = chance(3);
    const int64_t x = random_value(m), hidden = random_units(m, x, gates[kind]);
    const int64_t rows = gates[kind] * hidden, dims[2] = {-1, rows};
    int64_t operands[5] = {hidden ? reshaped(m, x, dims, 2) : -1}, given[CELL_NUMBERS] = {0}, count = 1;
    if (operands[0] < 0 || m->model->count >= MOST_NODES)
        return;
    for (int i = 0; i < 4; i++)
        given[i] = chance(2); // reverse, initial, lengths, states
    for (int i = 0; given[1] && i < (kind == 0 ? 2 : 1); i++)
        operands[count++] = cell_constant(m, hidden);
    if (given[2])
        operands[count++] = cell_constant(m, 1);
    if (kind == 0 && (given[7] = chance(2)))
        operands[count++] = cell_constant(m, 3 * hidden);
    if (kind == 1)
        given[6] = chance(2);
    given[4] = chance(3);
    if (kind < 2)
        given[5] = chance(3);
    const float clip = chance(2) ? 0.0f : 0.5f;
    snn_csr csr = random_csr(rows, hidden, chance(10) ? 2 + chance(90) : 0, NULL);
    const snn_node_spec spec = {.op = ops[kind],
                                .operands = operands,
                                .operand_count = (size_t)count,
                                .attributes = &clip,
                                .attribute_count = 1,
                                .integers = given,
                                .integer_count = (size_t)numbers[kind],
                                .rows = rows,
                                .cols = hidden,
                                .indptr = csr.indptr,
                                .indices = csr.indices,
                                .data = csr.data};
    const int64_t node = m->model->count;
    if (try_node(m, &spec))
        m->csr[node] = csr;
    else
        free_csr(&csr);
}

#endif
