"""The onnx package's node tests of what looks over axes."""

import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx_nodes import check_node, name_of, node_cases

CASES = node_cases("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "Softmax", "LogSoftmax")
REFUSED = {
    "reduce_*_default_axes_*": "must leave the batch alone, got axis 0",
    "reduce_*_empty_set*": "must have in .1, 2.31. features",
    "*softmax_axis_0": "must leave the batch alone, got axis 0",
}


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_node(case):
    check_node(case, REFUSED)
