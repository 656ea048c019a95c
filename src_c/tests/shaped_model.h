/* A small convolutional graph whose images may be of any size, or of a fixed one. */
#ifndef SNN_TEST_SHAPED_MODEL_H
#define SNN_TEST_SHAPED_MODEL_H

#include "train_pattern.h"

typedef struct shaped_model {
    snn_model *model;
    pattern first, middle, last, head;
    float depthwise[12 * 9];
} shaped_model;

#define SHAPED_NUMBERS(...)                                                                                  \
    .integers = (int64_t[]){__VA_ARGS__}, .integer_count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
#define SHAPED_OF(...)                                                                                       \
    .operands = (int64_t[]){__VA_ARGS__}, .operand_count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
#define SHAPED_WEIGHTS(p)                                                                                    \
    .rows = (p).rows, .cols = (p).cols, .indptr = (p).indptr, .indices = (p).indices, .data = (p).data,      \
    .bias = (p).bias

/* Weights, which models of several sizes have in common. */
static inline shaped_model shaped_weights(void)
{
    shaped_model s = {.first = make_pattern(12, 27, 0.5),
                      .middle = make_pattern(20, 12, 0.8),
                      .last = make_pattern(20, 180, 0.9),
                      .head = make_pattern(5, 20, 0.3)};
    for (int i = 0; i < 12 * 9; i++)
        s.depthwise[i] = (float)(uniform() - 0.5);
    return s;
}

static inline void shaped_free_pattern(pattern *p)
{
    snn_free(p->indptr);
    snn_free(p->indices);
    snn_free(p->data);
    snn_free(p->bias);
}

static inline void shaped_free_weights(shaped_model *s)
{
    shaped_free_pattern(&s->first);
    shaped_free_pattern(&s->middle);
    shaped_free_pattern(&s->last);
    shaped_free_pattern(&s->head);
}

/* Inputs "image" (3, height, width) and "scale" (20): a dense 3 x 3, a normalisation, a depthwise one with a
 * stride of 2, a 1 x 1 on the way to a residual 3 x 3, back to twice the size; a map, and what a linear layer
 * makes of its mean. */
static inline void shaped_build(shaped_model *s, int64_t height, int64_t width)
{
    float wide[12 * 27] = {0}, depthwise[12 * 108] = {0}, numbers[12];
    int64_t image, scale, norm[4], v[16];
    s->model = NULL;
    for (int64_t r = 0; r < 12; r++) {
        for (int64_t p = s->first.indptr[r]; p < s->first.indptr[r + 1]; p++)
            wide[r * 27 + s->first.indices[p]] = s->first.data[p];
        for (int i = 0; i < 9; i++)
            depthwise[r * 108 + r * 9 + i] = s->depthwise[r * 9 + i];
        numbers[r] = 0.5f + (float)r / 16.0f;
    }
    CHECK_OK(snn_model_create_graph(&s->model));
    CHECK_OK(snn_model_add_input(s->model, "image", (int64_t[]){3, height, width}, 3, &image));
    CHECK_OK(snn_model_add_input(s->model, "scale", (int64_t[]){20, 1, 1}, 3, &scale));
    for (int i = 0; i < 4; i++)
        CHECK_OK(snn_model_add_constant(s->model, (int64_t[]){12}, 1, numbers, &norm[i]));
#define ADD(at, ...) CHECK_OK(snn_model_add_node(s->model, &(snn_node_spec){__VA_ARGS__}, &v[at]))
    ADD(0, .op = "conv2d", SHAPED_OF(image), SHAPED_NUMBERS(3, 3, 1, 1, 1, 1, 1, 1, 1, 1), .rows = 12,
        .cols = 27, .weight = wide, .bias = s->first.bias);
    ADD(1, .op = "batch_norm", SHAPED_OF(v[0], norm[0], norm[1], norm[2], norm[3]),
        .attributes = (float[]){1e-3f, 0.1f}, .attribute_count = 2);
    ADD(2, .op = "relu", SHAPED_OF(v[1]));
    ADD(3, .op = "conv2d", SHAPED_OF(v[2]), SHAPED_NUMBERS(3, 3, 2, 2, 1, 1, 1, 1, 1, 1), .rows = 12,
        .cols = 108, .weight = depthwise);
    ADD(4, .op = "batch_norm", SHAPED_OF(v[3], norm[0], norm[1], norm[2], norm[3]),
        .attributes = (float[]){1e-3f, 0.1f}, .attribute_count = 2);
    ADD(5, .op = "conv2d", SHAPED_OF(v[4]), SHAPED_NUMBERS(1, 1, 1, 1, 0, 0, 0, 0, 1, 1),
        SHAPED_WEIGHTS(s->middle));
    ADD(6, .op = "conv2d", SHAPED_OF(v[5]), SHAPED_NUMBERS(3, 3, 1, 1, 1, 1, 1, 1, 1, 1),
        SHAPED_WEIGHTS(s->last));
    ADD(7, .op = "add", SHAPED_OF(v[6], v[5]));
    ADD(8, .op = "silu", SHAPED_OF(v[7]));
    ADD(9, .op = "mul", SHAPED_OF(v[8], scale));
    ADD(10, .op = "resize", SHAPED_OF(v[9]), SHAPED_NUMBERS(2, 0, 1, 0, 0), .attributes = (float[]){2},
        .attribute_count = 1);
    ADD(11, .op = "reduce_mean", SHAPED_OF(v[9]), SHAPED_NUMBERS(2, 3));
    ADD(12, .op = "reshape", SHAPED_OF(v[11]), SHAPED_NUMBERS(20));
    ADD(13, .op = "linear", SHAPED_OF(v[12]), SHAPED_WEIGHTS(s->head));
#undef ADD
    CHECK_OK(snn_model_add_output(s->model, "map", v[10]));
    CHECK_OK(snn_model_add_output(s->model, "classes", v[13]));
}

#endif
