"""The onnx package's node tests of transposed convolutions and resizing."""

import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx_nodes import check_node, name_of, node_cases

CASES = node_cases("ConvTranspose", "Resize", "Upsample")
REFUSED = {
    "convtranspose_3d": "take images of known sizes",
    "resize_*linear*": "have mode 'nearest'",
    "resize_*cubic*": "have mode 'nearest'",
    "resize_tf_crop*": "have mode 'nearest'",
}


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_node(case):
    check_node(case, REFUSED)
