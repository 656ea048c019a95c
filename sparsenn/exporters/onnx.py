"""ONNX: a Model as a graph of Gemm and activation nodes."""

from __future__ import annotations

import os

import numpy as np

from .. import _core
from ..file_replace import replace_file
from ..importers._require import require
from ..layers import ELU, GELU, ClippedReLU, Linear, ReLU, Sigmoid, Softmax, Tanh
from ..model import Model
from ._check import check_model, dense_weight

OPS = {
    **{ReLU: "Relu", Tanh: "Tanh", Sigmoid: "Sigmoid", GELU: "Gelu", Softmax: "Softmax"},
    **{ClippedReLU: "Clip", ELU: "Elu"},
}
# The oldest operator set that has what is used, and the file version that goes with it.
OPSET, IR_VERSION = 13, 8
GELU_OPSET, GELU_IR_VERSION = 20, 9


def to_onnx(model: Model, path: str | os.PathLike | None = None, *, sparse: bool = False):
    """The model as an onnx.ModelProto; where a path is given, written there as well, atomically.

    Input x (batch, inputs) and output y (batch, outputs), float32, any batch. Opset 13, or 20 with a GELU.

    sparse  False: every weight a dense initialiser. True: CSR weights as Constant nodes with a sparse_value,
            for a smaller file; runtimes expand them when they load it, so they run no faster.
    """
    onnx = require("onnx", extra="onnx", caller="to_onnx")
    helper = onnx.helper
    nodes, dense = [], []
    name = "x"
    layers = check_model(model).layers
    for index, layer in enumerate(layers):
        output = "y" if index == len(layers) - 1 else f"h{index}"
        inputs, attributes = [name], {}
        if isinstance(layer, Linear):
            inputs.append(f"{index}.weight")
            attributes = {"transB": 1}
            if sparse and layer.sparse:
                value = _sparse_tensor(onnx, layer.weight, inputs[-1])
                nodes.append(helper.make_node("Constant", [], [inputs[-1]], sparse_value=value))
            else:
                dense.append(onnx.numpy_helper.from_array(dense_weight(layer), inputs[-1]))
            if layer.bias is not None:
                inputs.append(f"{index}.bias")
                dense.append(onnx.numpy_helper.from_array(layer.bias, inputs[-1]))
        elif isinstance(layer, ClippedReLU):
            for limit in ("low", "high"):
                inputs.append(f"{index}.{limit}")
                dense.append(
                    onnx.numpy_helper.from_array(np.array(getattr(layer, limit), np.float32), inputs[-1])
                )
        elif isinstance(layer, ELU):
            attributes = {"alpha": layer.alpha}
        elif isinstance(layer, Softmax):
            attributes = {"axis": 1}
        op = "Gemm" if isinstance(layer, Linear) else OPS[type(layer)]
        nodes.append(helper.make_node(op, inputs, [output], name=f"{index}.{op}", **attributes))
        name = output
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "sparsenn",
        [helper.make_tensor_value_info("x", float32, ["batch", model.inputs])],
        [helper.make_tensor_value_info("y", float32, ["batch", model.outputs])],
        initializer=dense,
    )
    gelu = any(isinstance(layer, GELU) for layer in layers)
    proto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", GELU_OPSET if gelu else OPSET)],
        ir_version=GELU_IR_VERSION if gelu else IR_VERSION,
        producer_name="sparsenn",
        producer_version=_core.version(),
    )
    if path is not None:
        replace_file(path, proto.SerializeToString())
    return proto


def _sparse_tensor(onnx, weight, name: str):
    """A csr_array (out, in) as a SparseTensorProto: values, and their positions row by row."""
    rows, columns = weight.shape
    positions = np.repeat(np.arange(rows, dtype=np.int64), np.diff(weight.indptr)) * columns + weight.indices
    values = onnx.numpy_helper.from_array(weight.data, name)
    return onnx.helper.make_sparse_tensor(
        values, onnx.numpy_helper.from_array(positions, f"{name}.positions"), [rows, columns]
    )
