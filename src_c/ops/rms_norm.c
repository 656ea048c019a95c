/* scale x / sqrt(mean of squares + epsilon) along an axis, scale a constant of its places.
 * Source: Zhang and Sennrich 2019, arXiv:1910.07467 */
#include "ops/axes.h"
#include "ops/axis_norm.h"

const snn_op snn_op_rms_norm = {
    .type = SNN_OP_RMS_NORM,
    .name = "rms_norm",
    .kind = SNN_KIND_AXIS_NORM,
    .minor = 4,
    .is_graph = 1,
    .least_operands = 2,
    .most_operands = 2,
    .integer_count = 1,
    .integers = {"axis"},
    .attribute_count = 1,
    .attributes = {"epsilon"},
    .check = snn_axis_norm_check,
    .infer = snn_axis_norm_infer,
    .axes = snn_axis_axes,
};
