/* Models for test_nan.c: features that no weight reads, zeros that are stored, every op; and what they
 * compute, in double, each weight that is not 0 by itself. */
#ifndef SNN_TEST_NAN_MODEL_H
#define SNN_TEST_NAN_MODEL_H

#include "check.h"

#include "graph/op.h"
#include "kernels/kernel.h"

#include <math.h>
#include <stdint.h>

enum { WIDEST = 60 };

static uint64_t state = 88172645463325252u;
static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0;
}

/* One weight of seven, none in each fourth column, and one stored zero of twenty; each fifth row has no
 * weight and a bias of -0, but in a layer of a few rows, all of which a softmax before it makes NaN. */
static void add_layer(snn_model *model, int64_t rows, int64_t cols, int dense)
{
    static float weight[WIDEST * WIDEST], data[WIDEST * WIDEST], bias[WIDEST];
    static int32_t indices[WIDEST * WIDEST];
    static int64_t indptr[WIDEST + 1];
    int64_t at = 0;
    for (int64_t r = 0; r < rows; r++) {
        bias[r] = (float)(uniform() - 0.5);
        const int empty = r % 5 == 4;
        bias[r] = empty ? -0.0f : bias[r];
        for (int64_t c = 0; c < cols; c++) {
            const double draw = uniform();
            const float w = draw < 1.0 / 7 && c % 4 != 3 && !empty ? (float)(uniform() - 0.5) : 0.0f;
            weight[r * cols + c] = w;
            indices[at] = (int32_t)c;
            data[at] = w;
            at += w != 0.0f || draw > 0.95;
        }
        indptr[r + 1] = at;
    }
    if (dense)
        CHECK_OK(snn_model_add_dense(model, rows, cols, weight, bias));
    else
        CHECK_OK(snn_model_add_csr(model, rows, cols, indptr, indices, data, bias));
}

static void add_op(snn_model *model, int op)
{
    static const float attributes[3][2] = {{0, 0}, {0.25f, 0}, {0.25f, 0.75f}};
    const float *a = attributes[snn_op_of(op)->attribute_count];
    CHECK_OK(snn_model_add_activation(model, (snn_node_type)op, a[0], a[1]));
}

typedef enum model_shape { ONE_CSR, ONE_DENSE, OP_FIRST, CHAIN, SHAPES } model_shape;

static snn_model *make_model(model_shape shape, int op)
{
    snn_model *model = NULL;
    CHECK_OK(snn_model_create(WIDEST, &model));
    if (shape == OP_FIRST && snn_op_of(op)->kind == SNN_KIND_POINTWISE)
        add_op(model, op);
    add_layer(model, shape == CHAIN ? 50 : 37, WIDEST, shape == ONE_DENSE);
    add_op(model, op);
    if (shape == CHAIN) {
        add_layer(model, 30, 50, 1);
        add_op(model, SNN_OP_RELU);
        add_op(model, op); // not fused
        add_layer(model, 9, 30, 0);
    }
    return model;
}

/* Whether a NaN in one feature leaves the others alone. */
static int keeps_features_apart(const snn_model *model)
{
    snn_node_info node;
    for (int64_t i = 0; i < snn_model_node_count(model); i++)
        if (!CHECK_OK(snn_model_node(model, i, &node)) || (int)node.type == SNN_OP_SOFTMAX)
            return 0;
    return 1;
}

/* An op that works value by value keeps NaN; what it makes of others tests/test_activations.py checks. */
static double value_of(const snn_isa *isa, const snn_node_info *node, double v)
{
    const snn_epilogue e = {NULL, (int)node->type, node->low, node->high};
    const float x = (float)v;
    float y;
    isa->activate(&x, &y, 1, &e);
    return isnan(v) ? NAN : y;
}

static double row_of(const snn_node_info *node, int64_t r, const double *in)
{
    double sum = node->bias ? node->bias[r] : 0;
    for (int64_t p = node->sparse ? node->indptr[r] : 0;
         p < (node->sparse ? node->indptr[r + 1] : node->inputs); p++) {
        const double w = node->sparse ? node->data[p] : node->weight[r * node->inputs + p];
        if (w != 0)
            sum += w * in[node->sparse ? node->indices[p] : p];
    }
    return sum;
}

/* One sample x (inputs) -> y (outputs). */
static void run_in_double(const snn_isa *isa, const snn_model *model, const float *x, double *y)
{
    double in[WIDEST];
    for (int k = 0; k < WIDEST; k++)
        y[k] = x[k];
    for (int64_t i = 0; i < snn_model_node_count(model); i++) {
        snn_node_info node;
        CHECK_OK(snn_model_node(model, i, &node));
        double sum = 0, top = -INFINITY;
        for (int k = 0; k < node.inputs; k++) {
            in[k] = y[k];
            top = isnan(in[k]) || in[k] > top ? in[k] : top;
        }
        for (int k = 0; k < node.inputs; k++)
            sum += exp(in[k] - top);
        for (int64_t r = 0; r < node.outputs; r++)
            y[r] = (int)node.type == SNN_OP_LINEAR    ? row_of(&node, r, in)
                   : (int)node.type == SNN_OP_SOFTMAX ? exp(in[r] - top) / sum
                                                      : value_of(isa, &node, in[r]);
    }
}

#endif
