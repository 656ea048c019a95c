/* Random graphs: several inputs and outputs, branches, broadcasting, views, values that nothing reads. */
#ifndef SNN_TEST_PERTURBED_GRAPH_H
#define SNN_TEST_PERTURBED_GRAPH_H

#include "perturbed_products.h"

static void try_linear(random_model *m)
{
    static float bias[WIDEST];
    const int64_t x = random_value(m), cols = snn_value_features(&m->model->values[x]), rows = odd_size();
    if (m->model->values[x].rank != 2 || cols > WIDEST)
        return;
    const int sparse = chance(3);
    float *dense = snn_alloc((size_t)(rows * cols), sizeof *dense);
    snn_csr csr = random_csr(rows, cols, sparse ? 2 + chance(50) : 95, dense);
    for (int64_t r = 0; r < rows; r++)
        bias[r] = chance_value();
    const snn_node_spec spec = {.op = "linear",
                                .operands = &x,
                                .operand_count = 1,
                                .rows = rows,
                                .cols = cols,
                                .weight = sparse ? NULL : dense,
                                .indptr = sparse ? csr.indptr : NULL,
                                .indices = csr.indices,
                                .data = csr.data,
                                .bias = bias};
    const int64_t node = m->model->count;
    if (try_node(m, &spec))
        m->csr[node] = csr;
    else
        free_csr(&csr);
    snn_free(dense);
}

static void try_activation(random_model *m)
{
    static const char *const ops[] = {"relu", "tanh",       "silu",     "gelu", "softmax", "mish",
                                      "abs",  "hard_swish", "softplus", "exp",  "sqrt",    "log"};
    const int64_t x = random_value(m);
    const char *op = ops[chance(chance(8) ? 10 : 12)]; // the last two make NaN of what is below 0
    try_node(m, &(snn_node_spec){.op = op, .operands = &x, .operand_count = 1});
}

/* A constant that can be broadcast with a value: one feature, or as many as the last dim, or all. */
static int64_t add_constant(random_model *m, const snn_value *value)
{
    static float data[MOST_NODES * WIDEST];
    int64_t dims[SNN_MAX_RANK], made = 0;
    const int from = 1 + chance(value->rank), kept = value->rank - from;
    for (int i = 0; i < kept; i++)
        dims[i] = chance(4) ? value->dims[from + i] : 1;
    for (int i = 0; i < MOST_NODES * WIDEST; i++)
        data[i] = chance_value();
    CHECK_OK(snn_model_add_constant(m->model, dims, (size_t)kept, data, &made));
    return made;
}

static void try_pair(random_model *m)
{
    int64_t operands[2] = {random_value(m), random_value(m)};
    for (int tries = 0; tries < 8 && snn_value_features(&m->model->values[operands[1]]) !=
                                         snn_value_features(&m->model->values[operands[0]]);
         tries++)
        operands[1] = random_value(m);
    if (chance(3) == 0)
        operands[1] = add_constant(m, &m->model->values[operands[0]]);
    const int swapped = chance(2);
    const int64_t ordered[2] = {operands[swapped], operands[!swapped]};
    static const char *const ops[] = {"add", "mul", "sub", "min", "max", "prelu", "div"};
    try_node(m, &(snn_node_spec){.op = ops[chance(7)], .operands = ordered, .operand_count = 2});
}

static void try_concat(random_model *m)
{
    int64_t operands[4];
    const int count = 1 + chance(4);
    int64_t features = 0;
    for (int i = 0; i < count; i++) {
        operands[i] = i && chance(8) == 0 ? add_constant(m, &m->model->values[operands[0]]) : random_value(m);
        features += snn_value_features(&m->model->values[operands[i]]);
    }
    const int64_t axis = chance(3) ? -1 : 1;
    if (features <= WIDEST)
        try_node(m, &(snn_node_spec){.op = "concat",
                                     .operands = operands,
                                     .operand_count = (size_t)count,
                                     .integers = &axis,
                                     .integer_count = 1});
}

static void try_slice(random_model *m)
{
    const int64_t x = random_value(m);
    const snn_value *value = &m->model->values[x];
    const int axis = 1 + chance(value->rank - 1);
    const int64_t start = chance((int)value->dims[axis]);
    const int64_t integers[] = {axis, start, start + 1 + chance((int)(value->dims[axis] - start)),
                                1 + chance(3)};
    try_node(
        m, &(snn_node_spec){
               .op = "slice", .operands = &x, .operand_count = 1, .integers = integers, .integer_count = 4});
}

/* To one dim, or to two or three of small size. */
static void try_reshape(random_model *m)
{
    const int64_t x = random_value(m), features = snn_value_features(&m->model->values[x]);
    int64_t dims[3] = {1, 1, -1};
    const int count = 1 + chance(3);
    int64_t left = features;
    for (int i = 0; i + 1 < count; i++) {
        int64_t factor = 2 + chance(3);
        while (left % factor)
            factor--;
        dims[i] = factor;
        left /= factor;
    }
    dims[count - 1] = -1;
    CHECK(try_node(m, &(snn_node_spec){.op = "reshape",
                                       .operands = &x,
                                       .operand_count = 1,
                                       .integers = dims,
                                       .integer_count = (size_t)count}) ||
          m->model->count == MOST_NODES);
}

static void try_transpose(random_model *m)
{
    const int64_t x = random_value(m);
    const int rank = m->model->values[x].rank;
    int64_t axes[SNN_MAX_RANK];
    for (int i = 0; i < rank - 1; i++)
        axes[i] = i + 1;
    for (int i = rank - 2; i > 0; i--) {
        const int k = chance(i + 1);
        const int64_t other = axes[i];
        axes[i] = axes[k];
        axes[k] = other;
    }
    try_node(m, &(snn_node_spec){.op = "transpose",
                                 .operands = &x,
                                 .operand_count = 1,
                                 .integers = axes,
                                 .integer_count = (size_t)(rank - 1)});
}

/* A softmax, a sum, a mean or an extreme over some of the axes. */
static void try_axes(random_model *m)
{
    static const char *const ops[] = {"reduce_sum", "reduce_mean", "reduce_max", "reduce_min",
                                      "softmax_axis"};
    const int64_t x = random_value(m);
    const int rank = m->model->values[x].rank, first = 1 + chance(rank - 1);
    const int64_t axes[2] = {first, first + chance(rank - first)};
    const int op = chance(5);
    try_node(m, &(snn_node_spec){.op = ops[op],
                                 .operands = &x,
                                 .operand_count = 1,
                                 .integers = axes,
                                 .integer_count = op == 4 ? 1 : 2});
}

/* What a graph is made of: features alone, images and cells, or sequences. */
enum { PLAIN, WINDOWS, SEQUENCES };

static void add_random_node(random_model *m, int kind)
{
    if (kind == SEQUENCES && chance(2)) {
        try_sequence(m);
        return;
    }
    static void (*const makers[])(random_model *) = {
        try_linear, try_linear,    try_activation, try_pair,  try_pair,      try_concat,
        try_slice,  try_reshape,   try_transpose,  try_axes,  try_axis_norm, try_window,
        try_pool,   try_sum,       try_sum,        try_three, try_recurrent, try_recurrent,
        try_matmul, try_attention, try_attention,  try_lookup};
    makers[chance(kind == WINDOWS ? 22 : 11)](m);
}

/* The last value, and others. */
static void add_outputs(random_model *m)
{
    const int count = 1 + chance(3);
    for (int i = 0; i < count; i++) {
        const int64_t value = i ? random_value(m) : m->model->nodes[m->model->count - 1].value;
        char name[] = "y0";
        name[1] = (char)('0' + i);
        if (m->outputs + snn_value_features(&m->model->values[value]) > WIDEST)
            continue;
        CHECK_OK(snn_model_add_output(m->model, name, value));
        m->outputs += snn_value_features(&m->model->values[value]);
    }
}

static void make_random_graph(random_model *m)
{
    memset(m, 0, sizeof *m);
    CHECK_OK(snn_model_create_graph(&m->model));
    const int inputs = 1 + chance(3), steps = 1 + chance(MOST_NODES - 1),
              kind = chance(2) ? PLAIN : WINDOWS + chance(2);
    for (int i = 0; i < inputs; i++) {
        char name[] = "x0";
        name[1] = (char)('0' + i);
        int64_t dims[] = {kind != PLAIN && i == 0 && chance(2) ? sequence_size() : odd_size()}, value;
        if (i && m->inputs + dims[0] > WIDEST)
            break;
        CHECK_OK(snn_model_add_input(m->model, name, dims, 1, &value));
        m->inputs += dims[0];
    }
    while (m->model->count < steps)
        add_random_node(m, kind);
    while (m->outputs == 0) {
        add_outputs(m);
        if (m->outputs == 0)
            try_slice(m);
    }
    m->nodes = (int)m->model->count;
}

#endif
