"""Models to and from the C core."""

from __future__ import annotations

import copyreg
from collections.abc import Sequence

import numpy as np
import scipy

from . import _core
from .graph.node import Node
from .graph.value import Constant, Input, Value
from .graph.walk import walk
from .layers import GRAPH_TYPES, LAYER_TYPES, Conv2d, Layer, Linear, Matrix, Recurrent
from .layers.window import Window
from .model import Model
from .weights import core_indices

_LAYERS = {kind.op: kind for kind in (*LAYER_TYPES, *GRAPH_TYPES)}


def to_core(model: Model) -> _core.Model:
    """A copy of model inside the core. TypeError when model is no Model."""
    if not isinstance(model, Model):
        raise TypeError(f"model must be a sparsenn.Model, got {type(model).__name__}")
    return _chain_to_core(model) if model.is_chain else _graph_to_core(model)


def _chain_to_core(model: Model) -> _core.Model:
    handle = _core.Model(model.inputs)
    for layer in model.layers:
        if isinstance(layer, Linear) and layer.sparse:
            handle.add_csr(*_csr(layer), layer.bias)
        elif isinstance(layer, Linear):
            handle.add_dense(layer.weight, layer.bias)
        else:
            handle.add_op(layer.op, np.array(layer.attribute_values, np.float32))
    return handle


def _graph_to_core(model: Model) -> _core.Model:
    """What walks are the numbers that the core gives to values."""
    handle = _core.Model.graph()
    constants: dict[Constant, int] = {}

    def number_of(constant: Constant) -> int:
        if constant not in constants:
            constants[constant] = handle.add_constant(constant.array)
        return constants[constant]

    def step(node: Node, operands: list[int]) -> int:
        layer = node.layer
        attributes = dict(zip(layer.attributes, layer.attribute_values, strict=True)) | layer.integer_values
        if not isinstance(layer, Matrix):
            own = [handle.add_constant(getattr(layer, name)) for name in layer.constants]
            return handle.add_node(layer.op, operands + own, attributes)
        weight = _csr(layer) if layer.sparse else layer.weight
        return handle.add_node(layer.op, operands, attributes, weight=weight, bias=layer.bias)

    start = {
        value: handle.add_input(
            value.name, np.array([-1 if dim is None else dim for dim in value.dims[1:]], np.int64)
        )
        for value in model.input_values
    }
    made = walk(model, start, step, constant=number_of)
    for value in model.output_values:
        handle.add_output(value.name, made[value])
    return handle


def _csr(layer: Matrix) -> tuple:
    """Shape, indptr, indices and data, as the core wants them."""
    return (layer.shape, *core_indices(layer.weight), layer.weight.data)


def from_core(handle: _core.Model) -> Model:
    """The Model that the core holds, with arrays of its own."""
    nodes = (handle.node(index) for index in range(len(handle)))  # copies, one at a time
    if not handle.is_graph:
        return Model(_layer(node) for node in nodes)
    inputs = {
        number: Input([None if dim < 0 else int(dim) for dim in dims[1:]], name=name or None)
        for name, number, dims in handle.inputs_info
    }
    values: dict[int, Value | Constant] = {**inputs}
    for node in nodes:
        count = len(node["operands"]) - len(_LAYERS[node["op"]].constants)
        operands, own = node["operands"][:count], node["operands"][count:]
        for number in operands:
            if number not in values:
                values[number] = Constant(None, handle.constant(number))
        layer = _layer(node, [handle.constant(number) for number in own])
        values[node["value"]] = layer(*(values[number] for number in operands))
    outputs = [(name, values[number]) for name, number, _ in handle.outputs_info]
    named = all(name for name, _ in outputs)
    return Model(
        inputs=list(inputs.values()), outputs=dict(outputs) if named else [value for _, value in outputs]
    )


def _layer(node: dict, own: Sequence[np.ndarray] = ()) -> Layer:
    """own: the layer's constants."""
    kind = _LAYERS[node["op"]]
    numbers = dict(zip(kind.attributes, node["attributes"], strict=False))
    if kind.constants:
        return kind(*own, **node["integers"], **numbers)
    if kind is Linear:
        return Linear(_weight(node), node["bias"])
    if kind is Conv2d:
        return Conv2d.of_window(_weight(node), node["bias"], Window(**node["integers"]))
    if issubclass(kind, Recurrent):
        return kind.of_numbers(_weight(node), node["bias"], node["integers"], **numbers)
    if kind in GRAPH_TYPES:
        return kind.of_integers(**node["integers"], **numbers)
    return kind(**numbers)


def _weight(node: dict):
    if not node["sparse"]:
        return node["weight"]
    return scipy.sparse.csr_array((node["data"], node["indices"], node["indptr"]), shape=node["shape"])


def to_bytes(model: Model):
    """The bytes of the model's file, as an array of uint8."""
    return to_core(model).save_memory()


def from_bytes(content) -> Model:
    """The Model in the bytes of a model file."""
    return from_core(_core.Model.load_memory(content))


def _pickled(model: Model):
    return from_bytes, (to_bytes(model),)


# A Model pickles as the bytes of its file, in an array, so that joblib can map those of large models.
copyreg.pickle(Model, _pickled)
