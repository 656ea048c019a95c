"""The onnx package's node tests of convolutions, pools, normalisation and what moves values."""

import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx_nodes import check_node, name_of, node_cases

CASES = node_cases(
    *("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Pad", "BatchNormalization"),
    *("Flatten", "Reshape", "Transpose", "Concat", "Split", "Slice", "Squeeze", "Unsqueeze", "Identity"),
    *("Dropout", "Gemm", "MatMul"),
)
# A sample is a tensor of its own, so that nothing may move, mix or cut the batch; values are float32.
REFUSED = {
    "*pool_2d_uint8": "must hold floats",
    "*pool_3d_*": "must take .batch, channels, height, width. or .batch, channels, length.",
    **dict.fromkeys(("edge_pad", "reflect_pad", "wrap_pad"), "must hold floats"),
    "batchnorm_*_training_mode": "must be in inference mode",
    **dict.fromkeys(("flatten_axis[023]", "flatten_negative_axis[124]"), "must keep the batch"),
    "reshape_reordered_all_dims": "must keep the batch in dimension 0",
    "reshape_negative_extended_dims": "must keep the 12 features of each sample",
    "reshape_allowzero_reordered": "must keep the batch in dimension 0",
    **dict.fromkeys(("transpose_default", "transpose_all_permutations_[2345]"), "must have the batch first"),
    "*_1d_axis_*": "must have shape .batch, ...., got 1 dimensions",
    "concat_3d_axis_0": "must leave the batch alone",
    "concat_3d_axis_negative_3": "must leave the batch alone",
    **dict.fromkeys(
        ("split_*_1d_*", "split_*default_axis*", "split_zero_size*", "split_1d_*"), "got 1 dimensions"
    ),
    **dict.fromkeys(("slice", "slice_neg_steps"), "must take whole batches"),
    "slice_start_out_of_bounds": "must leave a place of 10",
    "unsqueeze_axis_0": "must have the batch first",
    **dict.fromkeys(("identity_sequence", "identity_opt"), "must be a tensor"),
    "clip_default_*inbounds_expanded": "must have shape|must hold floats",
    **dict.fromkeys(
        ("training_dropout", "training_dropout_mask", "training_dropout_default*"), "in inference mode"
    ),
    "dropout_default_old": "got 1 dimensions",
    "gemm_default_matrix_bias": "must do the same to every sample",
    **dict.fromkeys(("matmul_1d_*",), "got 1 dimensions"),
    "matmul_3d": "must do the same to every sample",
    "matmul_4d_1d": "must have a matrix as input 1",
}


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_node(case):
    check_node(case, REFUSED)
