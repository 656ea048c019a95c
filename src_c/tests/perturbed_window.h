/* Convolutions and pools in random graphs, and sums of convolutions with all that may stand beside them. */
#ifndef SNN_TEST_PERTURBED_WINDOW_H
#define SNN_TEST_PERTURBED_WINDOW_H

#include "graph/value.h"
#include "perturbed_model.h"

/* Appends a node; 1 when the core takes it. */
static int try_node(random_model *m, const snn_node_spec *spec)
{
    int64_t value;
    return m->model->count < MOST_NODES && snn_model_add_node(m->model, spec, &value) == SNN_OK;
}

static int64_t random_value(const random_model *m)
{
    for (;;) {
        const int64_t value = chance((int)m->model->value_count);
        if (!m->model->values[value].constant)
            return value;
    }
}

static int64_t last_value(const random_model *m) { return m->model->nodes[m->model->count - 1].value; }

/* x with these dims behind the batch; -1 when there is no room for the node. */
static int64_t reshaped(random_model *m, int64_t x, const int64_t *dims, size_t count)
{
    const snn_node_spec spec = {
        .op = "reshape", .operands = &x, .operand_count = 1, .integers = dims, .integer_count = count};
    return try_node(m, &spec) ? last_value(m) : -1;
}

/* A value of channels, rows and columns, made of any other by a reshape; -1 for none. */
static int64_t random_image(random_model *m)
{
    static const int64_t flat[3] = {1, 1, -1};
    const int64_t x = random_value(m);
    return m->model->values[x].rank == 4 ? x : reshaped(m, x, flat, 3);
}

/* Rows that read one channel each, some places of its window or all. */
static snn_csr depthwise_csr(int64_t rows, int64_t channels, int64_t places)
{
    const size_t room = (size_t)(rows * places);
    int64_t *indptr = snn_alloc((size_t)rows + 1, sizeof *indptr), at = 0;
    int32_t *indices = snn_alloc(room, sizeof *indices);
    float *data = snn_alloc(room, sizeof *data);
    for (int64_t r = 0; r < rows; r++) {
        const int64_t channel = chance((int)channels), all = chance(2);
        for (int64_t place = 0; place < places; place++) {
            const float value = chance_value();
            if (!all && chance(2))
                continue;
            indices[at] = (int32_t)(channel * places + place);
            data[at++] = value;
        }
        indptr[r + 1] = at;
    }
    return (snn_csr){rows, channels * places, indptr, indices, data};
}

/* numbers: the ten of a window. -1 where it does not fit or is too large. */
static int64_t convolved(random_model *m, int64_t x, int64_t rows, const int64_t *numbers)
{
    static float bias[8];
    const int64_t *dims = m->model->values[x].dims;
    const int64_t cols = dims[1] * numbers[0] * numbers[1];
    if (cols > WIDEST || rows * (dims[2] + 1) * (dims[3] + 2) > WIDEST || m->model->count >= MOST_NODES)
        return -1;
    snn_csr csr = chance(3) ? random_csr(rows, cols, chance(10) ? 2 + chance(90) : 0, NULL)
                            : depthwise_csr(rows, dims[1], numbers[0] * numbers[1]);
    for (int r = 0; r < 8; r++)
        bias[r] = chance_value();
    const snn_node_spec spec = {.op = "conv2d",
                                .operands = &x,
                                .operand_count = 1,
                                .integers = numbers,
                                .integer_count = 10,
                                .rows = rows,
                                .cols = cols,
                                .indptr = csr.indptr,
                                .indices = csr.indices,
                                .data = csr.data,
                                .bias = bias};
    const int64_t node = m->model->count;
    if (!try_node(m, &spec)) {
        free_csr(&csr);
        return -1;
    }
    m->csr[node] = csr;
    return last_value(m);
}

static inline void try_window(random_model *m)
{
    const int64_t x = random_image(m), kernel[2] = {1 + chance(2), 1 + chance(3)};
    const int64_t numbers[10] = {kernel[0], kernel[1], 1, 1 + chance(2), 0, kernel[1] / 2, 0,
                                 chance(2), 1,         1};
    if (x >= 0)
        convolved(m, x, 1 + chance(8), numbers);
}

/* A window of 3 x 3, as most depthwise convolutions have it. */
static inline void try_three(random_model *m)
{
    const int64_t x = random_image(m), stride = 1 + chance(2), end = chance(2);
    const int64_t numbers[10] = {3, 3, stride, stride, 1, 1, end, end, 1, 1};
    if (x >= 0)
        convolved(m, x, 1 + chance(8), numbers);
}

static inline void try_pool(random_model *m)
{
    const int is_mean = chance(2);
    const int64_t x = random_image(m), kernel[2] = {1 + chance(2), 1 + chance(3)};
    const int64_t numbers[10] = {kernel[0],     kernel[1], 1,         1 + chance(2),           0,
                                 kernel[1] / 2, 0,         chance(2), is_mean ? chance(2) : 1, 1};
    if (x >= 0)
        try_node(m, &(snn_node_spec){.op = is_mean ? "avg_pool2d" : "max_pool2d",
                                     .operands = &x,
                                     .operand_count = 1,
                                     .integers = numbers,
                                     .integer_count = is_mean ? 9 : 10});
}

/* What is added to y, a convolution of x: an earlier value of as many features, itself, a view of it, x, a
 * value that has to be broadcast. */
static int64_t random_addend(random_model *m, int64_t x, int64_t y)
{
    const snn_value *value = &m->model->values[y];
    const int64_t features = snn_value_features(value);
    const int64_t dims[3] = {value->dims[1], value->dims[2], value->dims[3]};
    switch (chance(6)) {
    case 0: return y;
    case 1: return x;
    case 2: return reshaped(m, y, dims, 3);
    case 3: return random_value(m);
    default: break;
    }
    for (int tries = 0; tries < 16; tries++) {
        const int64_t other = random_value(m);
        if (other == y || snn_value_features(&m->model->values[other]) != features)
            continue;
        // As it is, as a view of the same dims, or one that is spread along another axis than y.
        const int64_t column[2] = {-1, 1};
        const int kind = chance(4);
        return kind == 0 ? other : kind == 1 ? reshaped(m, other, column, 2) : reshaped(m, other, dims, 3);
    }
    return y;
}

/* A convolution that keeps the size of its image, and its sum with another value. */
static inline void try_sum(random_model *m)
{
    static const char *const ops[] = {"add", "add", "add", "sub", "max"};
    const int64_t x = random_image(m), size = chance(2) ? 1 : 3;
    if (x < 0)
        return;
    const int64_t numbers[10] = {1, size, 1, 1, 0, size / 2, 0, size / 2, 1, 1};
    const int64_t rows = chance(2) ? m->model->values[x].dims[1] : 1 + chance(8);
    const int64_t y = convolved(m, x, rows > 8 ? 8 : rows, numbers);
    const int64_t other = y < 0 ? -1 : random_addend(m, x, y);
    if (other < 0)
        return;
    const int swapped = chance(2);
    const int64_t operands[2] = {swapped ? other : y, swapped ? y : other};
    if (try_node(m, &(snn_node_spec){.op = ops[chance(5)], .operands = operands, .operand_count = 2}) &&
        chance(2)) {
        const int64_t sum = last_value(m);
        try_node(m, &(snn_node_spec){.op = "relu", .operands = &sum, .operand_count = 1});
    }
}

#endif
