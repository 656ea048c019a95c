"""The onnx package's node tests of comparisons, of what joins them, and of what repeats and pads."""

import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx_nodes import check_node, name_of, node_cases

CASES = node_cases(
    *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Not", "Where"),
    *("Expand", "Pad"),
)
REFUSED = {
    **dict.fromkeys(("*_int8", "*int16", "*int32", "*uint*", "equal", "equal_bcast"), "must hold floats"),
    **dict.fromkeys(("equal_string*", "edge_pad", "reflect_pad", "wrap_pad"), "must hold floats"),
    **dict.fromkeys(("and_bcast4v4d", "or_bcast4v4d"), "one number of samples"),
    "where_long_example": "the same to every sample",
    "expand_dim_changed": "must have the batch first",
}


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_node(case):
    check_node(case, REFUSED)
