/* Products of values, attention, normalisations along an axis and rows of tables, in random graphs. */
#ifndef SNN_TEST_PERTURBED_PRODUCTS_H
#define SNN_TEST_PERTURBED_PRODUCTS_H

#include "perturbed_recurrent.h"

/* A value's features in so many axes behind the batch, 2 or 3. */
static int64_t in_axes(random_model *m, int64_t x, int axes)
{
    int64_t dims[3] = {1, 1, -1}, left = snn_value_features(&m->model->values[x]);
    for (int i = 0; i + 1 < axes; i++) {
        int64_t factor = 1 + chance(5);
        while (left % factor)
            factor--;
        dims[i] = factor;
        left /= factor;
    }
    dims[axes - 1] = -1;
    return reshaped(m, x, dims, (size_t)axes);
}

/* A matrix times itself, turned. */
static void try_matmul(random_model *m)
{
    const int64_t x = in_axes(m, random_value(m), 2);
    if (x < 0)
        return;
    const int64_t turned = chance(2), operands[2] = {x, x}, turns[2] = {turned, !turned};
    const int64_t rows = m->model->values[x].dims[turned ? 2 : 1];
    if (rows * rows <= WIDEST)
        try_node(m, &(snn_node_spec){.op = "matmul",
                                     .operands = operands,
                                     .operand_count = 2,
                                     .integers = turns,
                                     .integer_count = 2});
}

static void try_attention(random_model *m)
{
    const int64_t x = in_axes(m, random_value(m), 3);
    if (x < 0)
        return;
    int64_t operands[4] = {x, x, x, 0};
    const int64_t flags[2] = {chance(2), chance(2)}, queries = m->model->values[x].dims[3];
    const float scale = 0.25f * (float)(1 + chance(4));
    const int masked = queries <= WIDEST && chance(2);
    if (masked) {
        static float mask[WIDEST];
        const int along = chance(2); // keys, else queries
        const int64_t dims[2] = {along ? 1 : queries, along ? queries : 1};
        for (int64_t i = 0; i < queries; i++)
            mask[i] = chance_value();
        CHECK_OK(snn_model_add_constant(m->model, dims, 2, mask, &operands[3]));
    }
    try_node(m, &(snn_node_spec){.op = "attention",
                                 .operands = operands,
                                 .operand_count = masked ? 4 : 3,
                                 .integers = flags,
                                 .integer_count = 2,
                                 .attributes = &scale,
                                 .attribute_count = 1});
}

static void try_axis_norm(random_model *m)
{
    static float factors[WIDEST];
    const int64_t x = random_value(m);
    const int64_t axis = 1 + chance(m->model->values[x].rank - 1), places = m->model->values[x].dims[axis];
    const int is_layer = chance(2);
    const float epsilon = 0.5f;
    int64_t operands[3] = {x};
    if (places > WIDEST)
        return;
    for (int i = 1; i <= 1 + is_layer; i++) {
        for (int64_t k = 0; k < places; k++)
            factors[k] = chance_value();
        CHECK_OK(snn_model_add_constant(m->model, &places, 1, factors, &operands[i]));
    }
    try_node(m, &(snn_node_spec){.op = is_layer ? "layer_norm" : "rms_norm",
                                 .operands = operands,
                                 .operand_count = 2 + (size_t)is_layer,
                                 .integers = &axis,
                                 .integer_count = 1,
                                 .attributes = &epsilon,
                                 .attribute_count = 1});
}

/* Of what is 0 or 1. */
static void try_lookup(random_model *m)
{
    static const float table[2][3] = {{0.5f, -1.0f, 0.25f}, {2.0f, 0.75f, -0.5f}};
    static const int64_t dims[2] = {2, 3}, zero_dims[1] = {1};
    const float zero = 0.0f;
    int64_t operands[2] = {random_value(m), 0}, made = 0;
    if (3 * snn_value_features(&m->model->values[operands[0]]) > WIDEST)
        return;
    CHECK_OK(snn_model_add_constant(m->model, zero_dims, 1, &zero, &operands[1]));
    if (!try_node(m, &(snn_node_spec){.op = "less", .operands = operands, .operand_count = 2}))
        return;
    made = m->model->value_count - 1;
    operands[0] = made;
    CHECK_OK(snn_model_add_constant(m->model, dims, 2, &table[0][0], &operands[1]));
    try_node(m, &(snn_node_spec){.op = "embedding", .operands = operands, .operand_count = 2});
}

#endif
