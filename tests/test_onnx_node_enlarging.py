"""The onnx package's node tests of transposed convolutions, resizing and blocks of positions."""

import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx_nodes import check_node, name_of, node_cases

CASES = node_cases("ConvTranspose", "Resize", "Upsample", "DepthToSpace", "SpaceToDepth")
REFUSED = {
    "convtranspose_3d": "take images and a weight for them",
    **dict.fromkeys(
        ("resize_*antialias", "resize_*cubic*"), "have mode 'nearest' or 'linear', without antialias"
    ),
    "resize_tf_crop*": "have coordinates and a rounding of half_pixel",
}


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_node(case):
    check_node(case, REFUSED)
