"""A model: a graph of layers, in execution order; a chain of them is its simplest form.

Weights are (out, in) float32: an ndarray when the layer is dense, a scipy csr_array when it is sparse.
Nothing here computes: reference.py holds the plain forward pass, compile.py the fast one, training/ the
gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from .errors import ArgumentError, UnsupportedError
from .graph.build import build
from .graph.node import Node
from .graph.value import Dims, Input, Value
from .graph.walk import walk
from .inputs import Outputs
from .layers import LAYER_TYPES, ArrayLayer, BatchNorm, Layer, Linear, Matrix
from .reference import reference
from .table import model_line, model_table

Values = Value | Sequence[Value] | Mapping[str, Value]


class Model:
    """A chain of layers, Model([layer, ...]), or a graph, Model(inputs=, outputs=). Layers are not copied.

    inputs, outputs  each a Value, a sequence of Values, or a dict of name to Value

    nodes            the layers at their places, in execution order
    layers           the nodes' layers; one that stands at two nodes is there twice
    linear_layers    the layers with a weight matrix, as Linear and Conv2d, each once
    array_layers     those with other arrays that training moves, as LayerNorm and Embedding, each once
    norm_layers      the BatchNorm layers among them
    input_values, output_values   Values with unique names
    is_chain         whether a list of layers makes the same model

    Raises TypeError for a layer of an unknown type, ValueError where a chain has no Linear, two layers do not
    fit, or outputs need other inputs than are given.

    >>> import numpy as np, sparsenn as snn
    >>> x = snn.Input((3,))
    >>> model = snn.Model(inputs=x, outputs=snn.Add()(snn.Linear(np.eye(3))(x), x))
    >>> model.predict([[1, 2, 3]])
    array([[2., 4., 6.]], dtype=float32)
    """

    def __init__(
        self, layers: Iterable | None = None, *, inputs: Values | None = None, outputs: Values | None = None
    ):
        if layers is not None:
            if inputs is not None or outputs is not None:
                raise TypeError("layers must be given alone, or inputs and outputs, got both")
            inputs, outputs = _chain(layers)
        elif inputs is None or outputs is None:
            raise TypeError("inputs and outputs must both be given, or layers")
        self.nodes: tuple[Node, ...]
        self.input_values: tuple[Value, ...]
        self.output_values: tuple[Value, ...]
        self.nodes, self.input_values, self.output_values = build(inputs, outputs)
        self.layers: tuple[Layer, ...] = tuple(node.layer for node in self.nodes)
        linears = {id(layer): layer for layer in self.layers if isinstance(layer, Matrix)}
        self.linear_layers: tuple[Matrix, ...] = tuple(linears.values())
        arrays = {id(layer): layer for layer in self.layers if isinstance(layer, ArrayLayer)}
        self.array_layers: tuple[ArrayLayer, ...] = tuple(arrays.values())
        norms = (layer for layer in self.array_layers if isinstance(layer, BatchNorm))
        self.norm_layers: tuple[BatchNorm, ...] = tuple(norms)
        self.is_chain: bool = bool(linears) and _is_chain(self)

    @property
    def inputs(self) -> int:
        """Features of one input sample. ArgumentError where there is not one input of (batch, features)."""
        return _features(self.input_values, "input")

    @property
    def outputs(self) -> int:
        """Features of one output sample. ArgumentError where there is not one output of (batch, features)."""
        return _features(self.output_values, "output")

    @property
    def last_layer(self) -> Layer:
        """The layer that computes the output. ArgumentError where there are several outputs."""
        _features(self.output_values, "output")
        return self.output_values[0].producer.layer

    @property
    def nnz(self) -> int:
        """Stored weights of all layers, biases not counted."""
        return sum(layer.nnz for layer in self.linear_layers)

    @property
    def sparsity(self) -> float:
        """1 - nnz / all weights; 0 where there are none."""
        weights = sum(math.prod(layer.shape) for layer in self.linear_layers)
        return 1.0 - self.nnz / weights if weights else 0.0

    def predict(self, x) -> Outputs:
        """x (batch, inputs) -> (batch, outputs) float32, by numpy and scipy: the plain forward pass.

        Several inputs are a dict of name to array; so are several outputs.
        """
        return reference(self, x, dtype=np.float32)

    def with_layers(self, replace: Callable[[Layer], Layer]) -> Model:
        """The same graph with replace(layer) for each layer, called once for one at several nodes."""
        by_id = {id(layer): layer for layer in self.layers}
        new = {key: replace(layer) for key, layer in by_id.items()}
        return self.with_dims([value.dims for value in self.input_values], lambda node: new[id(node.layer)])

    def with_dims(
        self, dims: Sequence[Dims], layer_of: Callable[[Node], Layer] = lambda node: node.layer
    ) -> Model:
        """The same graph on inputs of dims, the batch first. ArgumentError where layers do not fit.

        layer_of  the layer to put at a node
        """
        start = {
            value: Input(own[1:], name=value.name) for value, own in zip(self.input_values, dims, strict=True)
        }
        made = walk(self, start, lambda node, values: layer_of(node)(*values), constant=lambda same: same)
        return Model(
            inputs=list(start.values()), outputs={value.name: made[value] for value in self.output_values}
        )

    def copy(self) -> Model:
        """A model whose layers have arrays of their own."""
        return self.with_layers(lambda layer: layer.copy())

    def __str__(self) -> str:
        return model_table(self)

    def __repr__(self) -> str:
        return model_line(self)


def require_chain(model: Model, caller: str) -> None:
    """UnsupportedError, with what was asked for, where model is no chain of layers."""
    if not model.is_chain:
        raise UnsupportedError(f"{caller} takes a chain of layers only, Model([layer, ...]), got {model!r}")


def _chain(layers: Iterable) -> tuple[Value, Value]:
    """The input and the output of a chain of layers."""
    layers, width, first = tuple(layers), None, None
    for index, layer in enumerate(layers):
        if not isinstance(layer, LAYER_TYPES):
            names = ", ".join(kind.__name__ for kind in LAYER_TYPES)
            raise TypeError(f"layers[{index}] must be one of {names}, got {_describe(layer)}")
        if isinstance(layer, Linear):
            if width is not None and layer.shape[1] != width:
                raise ArgumentError(
                    f"layers[{index}] must take the {width} features that the layer before it gives, "
                    f"got a weight of shape {layer.shape}"
                )
            first = layer.shape[1] if first is None else first
            width = layer.shape[0]
    if first is None:
        raise ArgumentError(f"layers must hold at least one Linear, got {len(layers)} layers without one")
    start = value = Input((first,))
    for layer in layers:
        value = layer(value)
    return start, value


def _is_chain(model: Model) -> bool:
    """Whether each node reads the one before it alone, and all layers are of a chain's types."""
    value, *others = model.input_values
    if others or len(value.dims) != 2 or len(model.output_values) != 1:
        return False
    for node in model.nodes:
        if node.inputs != (value,) or not isinstance(node.layer, LAYER_TYPES):
            return False
        value = node.output
    return value is model.output_values[0]


def _features(values: tuple[Value, ...], kind: str) -> int:
    if len(values) != 1 or len(values[0].dims) != 2 or values[0].dims[1] is None:
        held = ", ".join(f"{value.name!r} {value.dims}" for value in values)
        raise ArgumentError(
            f"model must have one {kind} of (batch, features) for {kind}s, which is one number; "
            f"{kind}_values holds {held}"
        )
    return values[0].dims[1]


def _describe(layer: object) -> str:
    if isinstance(layer, type):
        return f"the class {layer.__name__} (write {layer.__name__}() for a layer)"
    return type(layer).__name__
