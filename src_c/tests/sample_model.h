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
    return 1;
}

#endif
