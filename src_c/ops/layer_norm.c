/* scale (x - mean) / sqrt(variance + epsilon) + shift along an axis, scale and shift constants of its places.
 * Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450 */
#include "ops/axes.h"
#include "ops/axis_norm.h"

const snn_op snn_op_layer_norm = {
    .type = SNN_OP_LAYER_NORM,
    .name = "layer_norm",
    .kind = SNN_KIND_AXIS_NORM,
    .minor = 4,
    .is_graph = 1,
    .least_operands = 3,
    .most_operands = 3,
    .integer_count = 1,
    .integers = {"axis"},
    .attribute_count = 1,
    .attributes = {"epsilon"},
    .check = snn_axis_norm_check,
    .infer = snn_axis_norm_infer,
    .axes = snn_axis_axes,
};
