"""Keras models with images, branches, several inputs or outputs: what their layers make of Tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import UnsupportedError
from ..layers import AxisSoftmax, Softmax
from ._arithmetic import added, multiplied, product, scaled
from ._data import STAND_INS, At, Data
from ._emit import Named
from ._functions import normalised
from ._keras_recurrent import RECURRENT, dense, recurrent_layers
from ._keras_tensor import Tensor, flat, image_tensor
from ._keras_windows import windows
from ._moves import joined
from ._steps import Affine, Normalisation, Scale
from ._wires import Wire

MERGES = ("Add", "Subtract", "Multiply", "Average", "Concatenate")
IMAGES = (
    "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D",
    "GlobalAveragePooling2D", "ZeroPadding2D", "UpSampling2D", "SpatialDropout2D",
)  # fmt: skip


def needs_graph(keras, model) -> bool:
    """Whether a model is more than a chain on (batch, features)."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return True
    kinds = tuple(getattr(keras.layers, name) for name in (*MERGES, *IMAGES, *RECURRENT))
    layers = model.layers if isinstance(model, keras.Sequential) else model.operations
    return any(
        needs_graph(keras, layer) if isinstance(layer, keras.Model) else isinstance(layer, kinds)
        for layer in layers
    )


class KerasGraph:
    """The wires of a model.

    convert  (keras, layer) -> steps of a layer on (batch, features);  arrays  a variable -> an ndarray
    check    (keras, layer, where): raises for code of its own;  describe  a layer, for messages
    """

    def __init__(
        self, keras, model, *, convert: Callable, arrays: Callable, check: Callable, describe: Callable
    ):
        self._keras, self._model = keras, model
        self._check, self._describe, self._windows = check, describe, windows(keras)
        self._recurrent = recurrent_layers(keras, lambda layer: check(keras, layer, describe(layer)))
        self._arrays = _kept(arrays)
        self._convert = _kept(lambda layer: convert(keras, layer))  # a layer at several places is one

    def wires(self) -> tuple[Named, Named]:
        """The inputs and the outputs by name."""
        inputs = [(tensor.name, Wire(None, (), tuple(tensor.shape[1:]))) for tensor in self._model.inputs]
        given = [Tensor(Data(wire, STAND_INS[0])) for _, wire in inputs]
        names = getattr(self._model, "output_names", None) or ["y"] * len(given)
        made = self._of_model(self._model, given)
        at = self._at(self._model)
        return inputs, [(name, own.plain(at).wire) for name, own in zip(names, made, strict=True)]

    def _at(self, layer) -> At:
        where = self._describe(layer)
        return At(where, where)

    def _of_model(self, model, given: list[Tensor]) -> list[Tensor]:
        self._check(self._keras, model, self._describe(model))
        if isinstance(model, self._keras.Sequential):
            for layer in model.layers:
                given = self._of_operation(layer, given)
            return given
        if not hasattr(model, "operations"):
            raise UnsupportedError(f"model must be Sequential or functional, got {type(model).__name__}")
        found = {id(tensor): own for tensor, own in zip(model.inputs, given, strict=True)}
        for tensor in _in_order(model.outputs, found):
            operation, node_index, _ = tensor._keras_history
            node = operation._inbound_nodes[node_index]
            operands = [found[id(operand)] for operand in _operands(operation, node)]
            made = self._of_operation(operation, operands)
            for output, own in zip(node.output_tensors, made, strict=True):
                found[id(output)] = own
        return [found[id(tensor)] for tensor in model.outputs]

    def _of_operation(self, layer, given: list[Tensor]) -> list[Tensor]:
        keras = self._keras
        if isinstance(layer, keras.Model):
            return self._of_model(layer, given)
        if isinstance(layer, keras.layers.InputLayer):
            return given
        at = self._at(layer)
        if not isinstance(layer, keras.layers.Layer):
            raise UnsupportedError(f"{at.label} is an operation of its own: supported are layers, as Add()")
        self._check(keras, layer, at.label)
        if type(layer).__name__ in MERGES:
            return [_merged(type(layer).__name__, layer, given, at)]
        if len(given) != 1:
            raise at.fail(f"take one tensor, got {len(given)}")
        if type(layer) in self._recurrent:
            made = self._recurrent[type(layer)](layer, given[0], self._arrays, at)
            if type(layer).__name__ == "TimeDistributed":
                made = self._acting(layer.layer, made, at)
            return made if isinstance(made, list) else [made]
        return [self._of_layer(layer, given[0], at)]

    def _of_layer(self, layer, tensor: Tensor, at: At) -> Tensor:
        layers = self._keras.layers
        function = self._windows.get(type(layer))
        if function is not None:
            return self._acting(layer, function(layer, tensor, self._arrays, at), at)
        if isinstance(layer, layers.Dense) and tensor.data.rank == 3 and not tensor.moved:
            return self._acting(layer, Tensor(dense(layer, tensor.data, self._arrays, at)), at)
        if isinstance(layer, layers.SpatialDropout2D):
            return tensor
        if isinstance(layer, layers.Flatten):
            return flat(tensor, layer.data_format, at)
        if isinstance(layer, layers.BatchNormalization) and tensor.data.rank == 4:
            return self._normalised(layer, tensor, at)
        return self._steps(tensor, self._convert(layer), at)

    def _acting(self, layer, made: Tensor, at: At) -> Tensor:
        """What the activation of a layer makes of what the layer made without it."""
        activation = getattr(layer, "activation", None)
        if activation is None:
            return made
        acting = self._keras.layers.Activation(activation, name=layer.name)
        return self._steps(made, self._convert(acting), at)

    def _normalised(self, layer, tensor: Tensor, at: At) -> Tensor:
        if layer.axis not in (-1, 1, 3):
            raise at.fail(f"be over the channels, got axis={layer.axis}")
        data_format = "channels_first" if layer.axis == 1 else "channels_last"
        gain, offset = (None if own is None else self._arrays(own) for own in (layer.gamma, layer.beta))
        data = normalised(
            tensor.channels_first(data_format, at), self._arrays(layer.moving_mean),
            self._arrays(layer.moving_variance), gain, offset, epsilon=layer.epsilon, at=at,
            momentum=1.0 - layer.momentum,
        )  # fmt: skip
        return image_tensor(data, data_format)

    def _steps(self, tensor: Tensor, steps: Iterable, at: At) -> Tensor:
        """Steps on (batch, features), or value by value."""
        for step in steps:
            if isinstance(step, Affine):
                weight = tensor.ordered(step.weight.T).T
                tensor = Tensor(product(tensor.data, weight, step.bias, at))
            elif isinstance(step, Normalisation):
                tensor = tensor.like(tensor.data.then(step.mapped(tensor.ordered)))
            elif isinstance(step, Scale):
                parts = (tensor.ordered(part) for part in (step.scale, step.shift))
                tensor = tensor.like(tensor.data.then(Scale(*parts, step.name)))
            elif isinstance(step, Softmax) and tensor.data.rank > 2 and not tensor.moved:
                tensor = tensor.like(tensor.data.then(AxisSoftmax(tensor.data.rank - 1)))
            else:
                tensor = tensor.like(tensor.data.then(step))
        return tensor


def _kept(read: Callable) -> Callable:
    """read, whose results are the same objects where it is called again."""
    found: dict[int, tuple] = {}

    def again(source):
        if id(source) not in found:
            found[id(source)] = source, read(source)
        return found[id(source)][1]

    return again


def _merged(kind: str, layer, given: list[Tensor], at: At) -> Tensor:
    """What a layer makes of several tensors, in the layout that all of them have."""
    first = given[0]
    alike = all(own.moved == first.moved and own.image == first.image for own in given)
    if not alike or (kind == "Concatenate" and first.image is not None):
        given = [Tensor(own.plain(at)) for own in given]
        first = given[0]
    parts = [own.data for own in given]
    if kind == "Concatenate":
        axis = layer.axis % first.data.rank
        return first.like(joined(parts, (0, 2, 3, 1)[axis] if first.moved else axis, at))
    if len({part.rank for part in parts}) > 1:
        raise at.fail(f"take tensors of one rank, got {', '.join(map(str, parts))}")
    if kind == "Subtract":
        left, right = parts
        return first.like(added(left, scaled(right, -1, at), at))
    total = parts[0]
    for part in parts[1:]:
        total = multiplied(total, part, at) if kind == "Multiply" else added(total, part, at)
    return first.like(scaled(total, 1 / len(parts), at) if kind == "Average" else total)


def _in_order(outputs: list, known: dict) -> list:
    """The tensors that outputs are made of, each after those that it reads, one for each node."""
    order: list = []
    done, left = set(known), list(outputs)
    while left:
        tensor = left[-1]
        operation, node_index, _ = tensor._keras_history
        node = operation._inbound_nodes[node_index]
        missing = [operand for operand in _operands(operation, node) if id(operand) not in done]
        if id(tensor) in done or not missing:
            left.pop()
            if id(tensor) not in done:
                order.append(tensor)
                done.update(id(output) for output in node.output_tensors)
        else:
            left += missing
    return order


def _operands(operation, node) -> list:
    """The tensors that a layer is called on. UnsupportedError where it is given anything else."""
    arguments = node.arguments
    given = {**dict(enumerate(arguments.args)), **arguments.kwargs}
    more = [key for key, value in given.items() if value is not None and value is not False]
    if not arguments.keras_tensors:
        raise UnsupportedError(f"layer {operation.name!r} must be made of the inputs, got none")
    if len(more) != 1:
        names = ", ".join(map(str, more))
        raise UnsupportedError(f"layer {operation.name!r} must be called with its input alone, got {names}")
    return list(arguments.keras_tensors)
