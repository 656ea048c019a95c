"""ONNX files with convolutions and pooling: read, written, and against ONNX Runtime."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from conv_networks import MODELS  # noqa: E402
from graphs import assert_same_outputs  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from test_export_graph import assert_near, run_onnx  # noqa: E402

import sparsenn as snn  # noqa: E402

RNG = np.random.default_rng(5)
SIZES = (3, 9, 8)
CONSTANTS = {
    "w": RNG.standard_normal((4, 3, 3, 3)).astype(np.float32),
    "deep": RNG.standard_normal((6, 1, 2, 3)).astype(np.float32),
    "b": RNG.standard_normal(4).astype(np.float32),
    "gain": RNG.random(4).astype(np.float32) + np.float32(0.5),
    "mean": RNG.standard_normal(3).astype(np.float32).reshape(3, 1, 1),
    "axes": np.array([2, -1]),
    "pads": np.array([0, 0, 1, 0, 0, 0, 2, 1]),
    "two": np.array([1, 2]),
    "last": np.array([3]),
    "low": np.float32(-np.inf),
    "zero": np.float32(0),
    "line": RNG.standard_normal((2, 3, 3)).astype(np.float32),
}


def node(op, inputs, outputs="y", **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), name=outputs.split()[0], **attributes)


def make(*nodes, sizes=SIZES, opset=17) -> onnx.ModelProto:
    read = {name for n in nodes for name in n.input}
    constants = {name: np.asarray(value) for name, value in CONSTANTS.items() if name in read}
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *sizes])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializer=[numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def kind(layer) -> str:
    return type(layer).__name__


def check(proto: onnx.ModelProto, *, layers: str | None = None) -> snn.Model:
    """The model gives what ONNX Runtime gives; layers: what it is made of."""
    model = snn.from_onnx(proto)
    if layers is not None:
        assert [kind(layer) for layer in model.layers] == layers.split()
    for batch in (1, 5):
        x = np.random.default_rng(batch).standard_normal((batch, *SIZES)).astype(np.float32)
        assert_near(model, {"x": x}, run_onnx(proto, {"x": x}))
    return model


GRAPHS = {
    "plain": (make(node("Conv", "x w b")), "Conv2d"),
    "attributes": (
        make(node("Conv", "x w", kernel_shape=[3, 3], strides=[2, 1], pads=[0, 1, 2, 3], dilations=[1, 2])),
        "Conv2d",
    ),
    "groups": (make(node("Conv", "x deep", group=3)), "Conv2d"),
    "valid": (make(node("Conv", "x w", auto_pad="VALID", strides=[3, 2])), "Conv2d"),
    "same": (make(node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 3])), "Conv2d"),
    "same at the beginning": (make(node("Conv", "x deep", group=3, auto_pad="SAME_LOWER")), "Conv2d"),
    "folded": (
        make(
            node("Sub", "x mean", "a"),
            node("Conv", "a w b", "h"),
            node("BatchNormalization", "h gain b b gain", "n"),
            node("Relu", "n"),
        ),
        "Conv2d ReLU",
    ),
    "not folded": (
        make(node("Sub", "x mean", "a"), node("Conv", "a w b", "h", pads=[1, 1, 1, 1]), node("Relu", "h")),
        "Add Conv2d ReLU",
    ),
    "maximum": (
        make(node("MaxPool", "x", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], dilations=[1, 2])),
        "MaxPool2d",
    ),
    "maximum, ceil": (
        make(node("MaxPool", "x", kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1)),
        "MaxPool2d",
    ),
    "maximum, strides of 1": (
        make(node("MaxPool", "x", kernel_shape=[3, 3], auto_pad="SAME_UPPER")),
        "MaxPool2d",
    ),
    "mean": (
        make(node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])),
        "AvgPool2d",
    ),
    "mean with padding": (
        make(node("AveragePool", "x", kernel_shape=[3, 3], pads=[0, 1, 2, 1], count_include_pad=1)),
        "AvgPool2d",
    ),
    "mean, ceil": (
        make(node("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)),
        "AvgPool2d",
    ),
    "global mean": (
        make(node("Conv", "x w b", "h"), node("GlobalAveragePool", "h", "g"), node("Flatten", "g")),
        "Conv2d AvgPool2d Reshape",
    ),
    "global maximum": (make(node("GlobalMaxPool", "x")), "MaxPool2d"),
    "reduced": (make(node("ReduceMean", "x", axes=[2, 3], keepdims=0)), "ReduceMean Reshape"),
    "reduced, axes as input": (make(node("ReduceMean", "x axes"), opset=18), "ReduceMean"),
    "padding": (make(node("Pad", "x pads", "p"), node("Conv", "p w")), "Conv2d"),
    "padding of axes": (make(node("Pad", "x two zero last", "p"), node("Conv", "p w"), opset=18), "Conv2d"),
    "padding, low": (
        make(node("Pad", "x pads low", "p"), node("MaxPool", "p", kernel_shape=[3, 3])),
        "MaxPool2d",
    ),
    "padding, attribute": (
        make(node("Pad", "x", "p", pads=[0, 0, 1, 0, 0, 0, 2, 1]), node("Conv", "p w"), opset=10),
        "Conv2d",
    ),
}


@pytest.mark.parametrize("proto, layers", GRAPHS.values(), ids=GRAPHS)
def test_graphs(proto, layers):
    check(proto, layers=layers)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_there_and_back(model, sparse):
    proto = snn.to_onnx(model, sparse=sparse)
    onnx.checker.check_model(proto, full_check=True)
    x = RNG.standard_normal((3, *model.input_values[0].dims[1:])).astype(np.float32)
    assert_near(model, {"x": x}, run_onnx(proto, {"x": x}))
    again = snn.from_onnx(proto)
    assert_same_outputs(again, model)
    assert [value.dims for value in again.output_values] == [value.dims for value in model.output_values]
    assert sorted(map(kind, again.layers)) == sorted(map(kind, model.layers))
    assert sum(layer.nnz for layer in again.linear_layers) == model.nnz
