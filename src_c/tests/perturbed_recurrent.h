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
static inline int64_t sequence_size(void) { return 12 * (17 + chance(5)); }

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

static const int64_t cell_gates[] = {4, 3, 1};

/* A cell on x (steps, rows); plain: without lengths and peepholes. */
static void add_cell(random_model *m, int64_t x, int kind, int64_t hidden, int plain)
{
    static const char *const ops[] = {"lstm", "gru", "rnn"};
    static const int64_t numbers[] = {8, 7, 5};
    const int64_t rows = cell_gates[kind] * hidden;
    int64_t operands[5] = {x}, given[CELL_NUMBERS] = {0}, count = 1;
    for (int i = 0; i < 4; i++)
        given[i] = chance(2) && !(plain && i == 2); // reverse, initial, lengths, states
    for (int i = 0; given[1] && i < (kind == 0 ? 2 : 1); i++)
        operands[count++] = cell_constant(m, hidden);
    if (given[2])
        operands[count++] = cell_constant(m, 1);
    if (kind == 0 && (given[7] = !plain && chance(2)))
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

static inline void try_recurrent(random_model *m)
{
    const int kind = chance(3);
    const int64_t x = random_value(m), hidden = random_units(m, x, cell_gates[kind]);
    const int64_t dims[2] = {-1, cell_gates[kind] * hidden};
    const int64_t steps = hidden ? reshaped(m, x, dims, 2) : -1;
    if (steps >= 0 && m->model->count < MOST_NODES)
        add_cell(m, steps, kind, hidden, 0);
}

/* x turned, of two dims or of three of which one is 1. */
static int64_t turned(random_model *m, int64_t x)
{
    static const int64_t axes[2] = {2, 1};
    const snn_node_spec spec = {
        .op = "transpose", .operands = &x, .operand_count = 1, .integers = axes, .integer_count = 2};
    return x >= 0 && try_node(m, &spec) ? last_value(m) : -1;
}

/* W x + b at every place of x (features, steps). */
static int64_t product_of_steps(random_model *m, int64_t x, int64_t features, int64_t rows)
{
    static const int64_t window[10] = {1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
    const int64_t image[3] = {features, 1, -1}, flat[2] = {rows, -1};
    const int64_t places = x >= 0 ? reshaped(m, x, image, 3) : -1;
    if (places < 0 || m->model->count >= MOST_NODES)
        return -1;
    snn_csr csr = random_csr(rows, features, chance(10) ? 2 + chance(90) : 0, NULL);
    const snn_node_spec spec = {.op = "conv2d",
                                .operands = &places,
                                .operand_count = 1,
                                .integers = window,
                                .integer_count = 10,
                                .rows = rows,
                                .cols = features,
                                .indptr = csr.indptr,
                                .indices = csr.indices,
                                .data = csr.data};
    const int64_t node = m->model->count;
    if (!try_node(m, &spec)) {
        free_csr(&csr);
        return -1;
    }
    m->csr[node] = csr;
    return reshaped(m, last_value(m), flat, 2);
}

/* A product of all steps of a value, and mostly a cell of what it gives. */
static inline void try_sequence(random_model *m)
{
    const int64_t x = random_value(m), all = snn_value_features(&m->model->values[x]);
    const int kind = chance(3);
    const int64_t whole = chance(3) ? 16 : 1; // whole panels of a tile leave no row to fill up
    const int64_t hidden = chance(3) ? whole * (1 + chance(whole > 1 ? 4 : 20)) : 1;
    const int64_t rows = cell_gates[kind] * hidden;
    int64_t steps = 1 + chance(6);
    while (all % steps)
        steps--;
    if (all / steps > WIDEST)
        return;
    const int64_t dims[2] = {steps, -1};
    const int64_t back =
        turned(m, product_of_steps(m, turned(m, reshaped(m, x, dims, 2)), all / steps, rows));
    if (back >= 0 && chance(4) && m->model->count < MOST_NODES)
        add_cell(m, back, kind, hidden, chance(8) > 0);
}

#endif
