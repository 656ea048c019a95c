"""ONNX: a Model as a graph of Gemm nodes and those of its other layers."""

from __future__ import annotations

import os

from .. import _core
from ..file_replace import replace_file
from ..graph.node import Node
from ..graph.value import Constant, Value
from ..graph.walk import walk
from ..layers import Conv2d, Linear, Recurrent
from ..model import Model
from ..require import require
from ._check import check_model, dense_weight
from ._onnx_graph import Graph
from ._onnx_recurrent import write_recurrent
from ._recurrent import wholes

OPSET = 13  # the oldest operator set that has what every export uses
IR_VERSIONS = {13: 8, 14: 8, 17: 8, 19: 9, 20: 9}  # the file version that goes with an operator set


def to_onnx(model: Model, path: str | os.PathLike | None = None, *, sparse: bool = False):
    """The model as an onnx.ModelProto; where a path is given, written there as well, atomically.

    Inputs and outputs have the model's names, in a chain x (batch, inputs) and y (batch, outputs); float32,
    any batch. Opset 13, or what a layer needs: 20 for a GELU.

    sparse  False: every weight a dense initialiser. True: CSR weights as Constant nodes with a sparse_value,
            for a smaller file; runtimes expand them when they load it, so they run no faster. Those of
            recurrent layers, which have three dimensions in ONNX, stay initialisers.
    """
    onnx = require("onnx", extra="onnx", caller="to_onnx")
    nodes = {node: index for index, node in enumerate(check_model(model).nodes)}
    whole, absorbed = wholes(model)
    opset = max(OPSET, *(layer.onnx_opset for layer in model.layers))
    graph = Graph(onnx, opset)
    parameters: dict[int, list[str]] = {}  # by the id of a Linear, which may stand at several nodes

    def step(node: Node, names: list[str]) -> str:
        graph.layer = nodes[node]
        if node in absorbed:
            return ""
        graph.names = names
        graph.dims = [_file_dims(operand) for operand in node.inputs]
        layer, key = node.layer.sized(*(operand.dims for operand in node.inputs)), id(node.layer)
        if isinstance(layer, Linear):
            if key not in parameters:
                parameters[key] = _parameters(graph, layer, sparse=sparse)
            graph.node("Gemm", *names, *parameters[key], transB=1)
        elif isinstance(layer, Conv2d):
            if key not in parameters:
                parameters[key] = _kernel(graph, layer)
            window = layer.window
            graph.node(
                "Conv",
                *names,
                *parameters[key],
                kernel_shape=window.kernel,
                strides=window.stride,
                dilations=window.dilation,
                group=layer.groups,
                **window.onnx_pads(),
            )
        elif isinstance(layer, Recurrent):
            write_recurrent(graph, whole[node], whole[node].x.name, names[1:])
        else:
            layer.to_onnx(graph, *names)
        return graph.rename_last(node.output.name)

    walk(
        model,
        {value: value.name for value in model.input_values},
        step,
        constant=lambda constant: graph.shared_constant(constant.name, constant.array),
    )
    proto = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "sparsenn",
            [graph.value_info(value) for value in model.input_values],
            [graph.value_info(value) for value in model.output_values],
            initializer=graph.constants,
        ),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
        ir_version=IR_VERSIONS[opset],
        producer_name="sparsenn",
        producer_version=_core.version(),
    )
    if path is not None:
        replace_file(path, proto.SerializeToString())
    return proto


def _file_dims(operand: Value | Constant) -> tuple:
    """What the file has of it: constants stand there without a batch."""
    return operand.dims[1:] if isinstance(operand, Constant) else operand.dims


def _kernel(graph: Graph, layer: Conv2d) -> list[str]:
    """Writes a convolution's weight, zeros filled in, and the bias -> their names."""
    names = [graph.constant("weight", layer.group_kernel)]
    return names if layer.bias is None else [*names, graph.constant("bias", layer.bias)]


def _parameters(graph: Graph, layer: Linear, *, sparse: bool) -> list[str]:
    """Writes the weight and the bias -> their names."""
    if sparse and layer.sparse:
        names = [graph.sparse_constant("weight", layer.weight)]
    else:
        names = [graph.constant("weight", dense_weight(layer))]
    return names if layer.bias is None else [*names, graph.constant("bias", layer.bias)]
