"""Builds the ONNX model that ONNX Runtime, OpenVINO and DeepSparse are given, fixed batch, in two layouts.

"rows" is Gemm on (batch, features). "planes" is a 1 x 1 convolution on (1, features, height, width), the
batch laid out as the pixels of one image: the same arithmetic with features first, which some engines run
faster.
"""

import numpy as np

from .layer import Layer

OPERATORS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def build_onnx(layers: list[Layer], batch: int, height: int = 0) -> bytes:
    """The serialised model, input "x" -> output "y", float32; height 0: rows, else planes of that height."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, value = [], [], "x"
    for number, layer in enumerate(layers):
        names = [f"{number}.weight", f"{number}.bias"]
        weight = layer.to_dense()
        if height:
            weight = weight[:, :, None, None]
        weights += [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for array, name in zip((weight, layer.bias), names, strict=True)
        ]
        options = {} if height else {"transB": 1}
        operator = "Conv" if height else "Gemm"
        nodes.append(helper.make_node(operator, [value, *names], [f"{number}.linear"], **options))
        value = f"{number}.linear"
        if layer.activation != "none":
            nodes.append(helper.make_node(OPERATORS[layer.activation], [value], [f"{number}.active"]))
            value = f"{number}.active"
    nodes[-1].output[0] = "y"
    shapes = [value_shape(features, batch, height) for features in (layers[0].shape[1], layers[-1].shape[0])]
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shapes[0])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shapes[1])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()


def value_shape(features: int, batch: int, height: int) -> tuple[int, ...]:
    """The shape of a value of that many features in the chosen layout."""
    return (1, features, height, batch // height) if height else (batch, features)


def to_layout(x: np.ndarray, height: int) -> np.ndarray:
    """x (batch, features) in the chosen layout, contiguous."""
    batch, features = x.shape
    return np.ascontiguousarray(x.T).reshape(value_shape(features, batch, height)) if height else x.copy()


def from_layout(y: np.ndarray, height: int) -> np.ndarray:
    """The inverse of to_layout: (batch, features)."""
    return y.reshape(y.shape[1], -1).T if height else y
