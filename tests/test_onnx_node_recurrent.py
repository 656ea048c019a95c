"""The onnx package's node tests of recurrent layers."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx_nodes import assert_gives, name_of, node_cases, with_initializers

import sparsenn as snn

CASES = node_cases("LSTM", "GRU", "RNN")


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_node(case):
    """Models have the samples first; but for layout 1, ONNX has them in dimension 1, and in 2 of Y."""
    inputs, outputs = case.data_sets[0]
    proto, given = with_initializers(case.model, inputs)
    (node,) = proto.graph.node
    layout = sum(attribute.i for attribute in node.attribute if attribute.name == "layout")
    wanted = dict(zip((value.name for value in proto.graph.output), map(np.asarray, outputs), strict=True))
    if not layout:
        given = {name: np.moveaxis(array, 1, 0) for name, array in given.items()}
        wanted = {name: np.moveaxis(array, 2 if array.ndim == 4 else 1, 0) for name, array in wanted.items()}
    assert_gives(snn.from_onnx(proto), given, wanted, rtol=case.rtol)
