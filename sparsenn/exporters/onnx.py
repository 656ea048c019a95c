"""ONNX: a Model as a graph of Gemm and activation nodes."""

from __future__ import annotations

import os

from .. import _core
from ..file_replace import replace_file
from ..layers import Linear
from ..model import Model
from ..require import require
from ._check import check_model, dense_weight
from ._onnx_graph import Graph

OPSET = 13  # the oldest operator set that has what every export uses
IR_VERSIONS = {13: 8, 20: 9}  # the file version that goes with an operator set


def to_onnx(model: Model, path: str | os.PathLike | None = None, *, sparse: bool = False):
    """The model as an onnx.ModelProto; where a path is given, written there as well, atomically.

    Input x (batch, inputs) and output y (batch, outputs), float32, any batch. Opset 13, or what a layer
    needs: 20 for a GELU.

    sparse  False: every weight a dense initialiser. True: CSR weights as Constant nodes with a sparse_value,
            for a smaller file; runtimes expand them when they load it, so they run no faster.
    """
    onnx = require("onnx", extra="onnx", caller="to_onnx")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    graph = Graph(onnx)
    layers = check_model(model).layers
    name = "x"
    for graph.layer, layer in enumerate(layers):
        if isinstance(layer, Linear):
            _gemm(graph, layer, name, sparse=sparse)
        else:
            layer.to_onnx(graph, name)
        name = graph.rename_last("y" if graph.layer == len(layers) - 1 else f"h{graph.layer}")
    opset = max([OPSET, *(layer.onnx_opset for layer in layers if not isinstance(layer, Linear))])
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sparsenn",
            [helper.make_tensor_value_info("x", float32, ["batch", model.inputs])],
            [helper.make_tensor_value_info("y", float32, ["batch", model.outputs])],
            initializer=graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=IR_VERSIONS[opset],
        producer_name="sparsenn",
        producer_version=_core.version(),
    )
    if path is not None:
        replace_file(path, proto.SerializeToString())
    return proto


def _gemm(graph: Graph, layer: Linear, x: str, *, sparse: bool) -> str:
    if sparse and layer.sparse:
        inputs = [x, graph.sparse_constant("weight", layer.weight)]
    else:
        inputs = [x, graph.constant("weight", dense_weight(layer))]
    if layer.bias is not None:
        inputs.append(graph.constant("bias", layer.bias))
    return graph.node("Gemm", *inputs, transB=1)
