/* Models for the tests, and whether two are the same to the bit. */
#ifndef SNN_TEST_SAMPLE_MODEL_H
#define SNN_TEST_SAMPLE_MODEL_H

#include "check.h"

#include <string.h>

/* A small model with every kind of node: dense and CSR, with bias and without, an empty row, an empty
 * layer, every activation. Weights hold NaN, infinity, -0 and a subnormal among others. */
static inline snn_model *sample_model(void)
{
    static const float weight[6] = {0.5f, -1.25f, -0.0f, 1e-42f, 3.0f, 0.1f}; /* (3, 2) */
    static const float bias3[3] = {0.25f, -0.0f, 1e30f};
    static const float bias4[4] = {1, 2, 3, 4};
    static const int64_t indptr[5] = {0, 2, 2, 3, 6};
    static const int32_t indices[6] = {0, 2, 1, 0, 1, 2};
    static const uint32_t bits[6] = {0x3F800000, 0x7FC00123, 0xFF800000, 0x00000001, 0x80000000, 0xC0490FDB};
    static const int64_t empty[6] = {0};
    float data[6];
    memcpy(data, bits, sizeof data);
    snn_model *model = NULL;
    CHECK_OK(snn_model_create(2, &model));
    CHECK_OK(snn_model_add_dense(model, 3, 2, weight, bias3));
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_RELU, 0, 0));
    CHECK_OK(snn_model_add_csr(model, 4, 3, indptr, indices, data, bias4));
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_CLIP, -0.1f, 6.0f));
    CHECK_OK(snn_model_add_csr(model, 5, 4, empty, NULL, NULL, NULL));
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_TANH, 0, 0));
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_SIGMOID, 0, 0));
    CHECK_OK(snn_model_add_dense(model, 1, 5, weight, NULL));
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_GELU, 0, 0));
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_SOFTMAX, 0, 0));
    CHECK_OK(snn_model_add_activation(model, SNN_NODE_ELU, 0.1f, 0));
    return model;
}

/* A small graph with every op that a chain cannot have: two inputs, one of them without fixed dims, a
 * constant of three dims and one of none, names beyond ASCII, a node that nothing reads, two outputs. */
static inline snn_model *sample_graph_of(int64_t open)
{
    static const float weight[6] = {0.5f, -1.25f, -0.0f, 1e-42f, 3.0f, 0.1f}, table[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t indptr[4] = {0, 1, 1, 2};
    static const int32_t indices[2] = {1, 0};
    const float slope = 0.25f;
    snn_model *model = NULL;
    int64_t x, free, table_value, one, v[12];
    CHECK_OK(snn_model_create_graph(&model));
    CHECK_OK(snn_model_add_input(model, "x \"1\"", (int64_t[]){2}, 1, &x));
    CHECK_OK(snn_model_add_input(model, "\xC3\xA9", (int64_t[]){open, 2}, 2, &free));
    CHECK_OK(snn_model_add_constant(model, (int64_t[]){3, 1, 2}, 3, table, &table_value));
#define ADD(at, ...) CHECK_OK(snn_model_add_node(model, &(snn_node_spec){__VA_ARGS__}, &v[at]))
#define NUMBERS(...)                                                                                         \
    .integers = (int64_t[]){__VA_ARGS__}, .integer_count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
#define OF(...)                                                                                              \
    .operands = (int64_t[]){__VA_ARGS__}, .operand_count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
    ADD(0, .op = "linear", OF(x), .rows = 3, .cols = 2, .weight = weight, .bias = table, .name = "h");
    ADD(1, .op = "leaky_relu", OF(v[0]), .attributes = &slope, .attribute_count = 1);
    ADD(2, .op = "linear", OF(x), .rows = 3, .cols = 2, .indptr = indptr, .indices = indices, .data = weight);
    ADD(3, .op = "add", OF(v[1], v[2]));
    CHECK_OK(snn_model_add_constant(model, NULL, 0, table, &one));
    ADD(4, .op = "mul", OF(v[3], one));
    ADD(5, .op = "concat", OF(v[4], x, v[4]), NUMBERS(1));
    ADD(6, .op = "reshape", OF(v[5]), NUMBERS(1, 2, 4));
    ADD(7, .op = "slice", OF(v[6]), NUMBERS(3, 0, 4, 2));
    ADD(8, .op = "add", OF(v[7], table_value));
    ADD(9, .op = "transpose", OF(v[8]), NUMBERS(3, 1, 2));
    ADD(10, .op = "tanh", OF(free));
    ADD(11, .op = "reshape", OF(free), NUMBERS(-1));
#undef ADD
#undef NUMBERS
#undef OF
    CHECK_OK(snn_model_add_output(model, "\xC3\xA9", v[9]));
    CHECK_OK(snn_model_add_output(model, "h", v[0]));
    return model;
}

static inline snn_model *sample_graph(void) { return sample_graph_of(-1); }
static inline snn_model *sample_fixed_graph(void) { return sample_graph_of(5); }

static inline int same_array(const void *a, const void *b, int64_t count, size_t size)
{
    if (a == NULL || b == NULL)
        return a == b;
    return count == 0 || memcmp(a, b, (size_t)count * size) == 0;
}

static inline int same_node(const snn_node_info *a, const snn_node_info *b)
{
    return a->type == b->type && a->inputs == b->inputs && a->outputs == b->outputs &&
           a->sparse == b->sparse && a->nnz == b->nnz && memcmp(&a->low, &b->low, sizeof a->low) == 0 &&
           memcmp(&a->high, &b->high, sizeof a->high) == 0 && same_array(a->weight, b->weight, a->nnz, 4) &&
           same_array(a->data, b->data, a->nnz, 4) && same_array(a->indices, b->indices, a->nnz, 4) &&
           same_array(a->indptr, b->indptr, a->outputs + 1, 8) && same_array(a->bias, b->bias, a->outputs, 4);
}

static inline int same_name(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static inline int same_value(const snn_value_info *a, const snn_value_info *b)
{
    int64_t features = 1;
    for (size_t i = 1; i < a->rank; i++)
        features *= a->dims[i];
    return same_name(a->name, b->name) && a->value == b->value && a->rank == b->rank &&
           same_array(a->dims, b->dims, (int64_t)a->rank, 8) &&
           same_array(a->constant, b->constant, features, 4);
}

static inline int same_edges(const snn_node_edges *a, const snn_node_edges *b)
{
    return a->operand_count == b->operand_count && a->value == b->value &&
           a->integer_count == b->integer_count &&
           same_array(a->operands, b->operands, (int64_t)a->operand_count, 8) &&
           same_array(a->integers, b->integers, (int64_t)a->integer_count, 8);
}

/* Values, inputs, outputs, and where the nodes stand among them. */
static inline int same_graph(const snn_model *a, const snn_model *b)
{
    snn_value_info left, right;
    snn_node_edges first, second;
    int same = snn_model_is_graph(a) == snn_model_is_graph(b) &&
               snn_model_value_count(a) == snn_model_value_count(b) &&
               snn_model_input_count(a) == snn_model_input_count(b) &&
               snn_model_output_count(a) == snn_model_output_count(b);
    for (int64_t i = 0; same && i < snn_model_value_count(a); i++)
        same = !snn_model_value(a, i, &left) && !snn_model_value(b, i, &right) && same_value(&left, &right);
    for (int64_t i = 0; same && i < snn_model_input_count(a); i++)
        same = !snn_model_input(a, i, &left) && !snn_model_input(b, i, &right) && same_value(&left, &right);
    for (int64_t i = 0; same && i < snn_model_output_count(a); i++)
        same = !snn_model_output(a, i, &left) && !snn_model_output(b, i, &right) && same_value(&left, &right);
    for (int64_t i = 0; same && i < snn_model_node_count(a); i++)
        same =
            !snn_model_edges(a, i, &first) && !snn_model_edges(b, i, &second) && same_edges(&first, &second);
    return same;
}

static inline int same_model(const snn_model *a, const snn_model *b)
{
    if (snn_model_inputs(a) != snn_model_inputs(b) || snn_model_outputs(a) != snn_model_outputs(b) ||
        snn_model_node_count(a) != snn_model_node_count(b))
        return 0;
    for (int64_t i = 0; i < snn_model_node_count(a); i++) {
        snn_node_info left, right;
        if (snn_model_node(a, i, &left) || snn_model_node(b, i, &right) || !same_node(&left, &right))
            return 0;
    }
    return same_graph(a, b);
}

#endif
