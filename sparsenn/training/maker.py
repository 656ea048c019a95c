"""The steps of a model for training, and the places of its values."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from ..graph.node import Node
from ..graph.value import Constant, Value
from ..layers import (
    Activation,
    Add,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Linear,
    MaxPool2d,
    Recurrent,
    Reshape,
    Transpose,
)
from ..model import Model
from .norm import NormStep, Pass
from .places import Place
from .recurrent import RecurrentStep
from .steps import ActivationStep, AddStep, BlasStep, KernelStep, LayerStep, PoolStep, ViewStep
from .tiles import Layout

_SMALL = 2**20  # weights of a dense layer that goes through the sparse kernels beside sparse layers


class Maker:
    """The steps of a model, and the places of its values.

    BLAS brings threads of its own. Where its calls alternate with the kernels', the idle threads of each keep
    the processors busy for a while and hold up the other, by milliseconds a step. So a dense layer that is
    not large goes through the kernels where those run anyway, at a cost of about 30 bytes a weight. An
    activation that alone reads such a layer is part of its step.
    """

    def __init__(
        self, model: Model, layout: Layout, current: Pass, *, beside_sparse: bool, truncate: int | None
    ):
        self.layout, self.current, self.beside_sparse = layout, current, beside_sparse
        self.truncate = truncate
        self.readers = Counter(operand for node in model.nodes for operand in node.inputs)
        self.readers.update(model.output_values)
        self.followers = {node.inputs[0]: node for node in model.nodes if self._may_fuse(node)}
        self.places: dict[Value, Place] = {}
        self.steps: list = []
        for value in model.input_values:
            self._put(value)
        fused: set[Node] = set()
        for index, node in enumerate(model.nodes):
            if node not in fused:
                self._add(index, node, fused)

    def _may_fuse(self, node: Node) -> bool:
        layer = node.layer
        return (
            isinstance(layer, Activation)
            and not layer.mixes_features
            and self.readers[node.inputs[0]] == 1
            and isinstance(node.inputs[0], Value)
        )

    def _put(self, value: Value, like: Place | None = None) -> Place:
        """A place for a value; like: one that lies as it is to lie."""
        return self._lay(value, None if like is None else like.channels_last)

    def _lay(self, value: Value, channels_last: bool | None) -> Place:
        place = Place(value.dims[1:], self.readers[value], self.layout, channels_last=channels_last)
        return self.places.setdefault(value, place)

    def _add(self, index: int, node: Node, fused: set[Node]) -> None:
        layer = node.layer
        if isinstance(layer, Conv2d) or (
            isinstance(layer, Linear)
            and (layer.sparse or (self.beside_sparse and layer.weight.size <= _SMALL))
        ):
            activation, result = self._followed(node, fused)
            source = self.places[node.inputs[0]]
            step = KernelStep(index, layer, activation, source, result, self.layout)
        elif isinstance(layer, Recurrent):
            operands = [self._in_order(self._operand(operand)) for operand in node.inputs]
            result = self._put(node.output)
            step = RecurrentStep(index, layer, operands, result, self.layout, self.truncate)
        elif isinstance(layer, BatchNorm):
            source = self.places[node.inputs[0]]
            activation, result = self._followed(node, fused, source)
            step = NormStep(index, layer, activation, source, result, self.layout, self.current)
        elif isinstance(layer, Add) and self.layout.samples and self._alike(node):
            places = [self.places[value] for value in node.inputs]
            activation, result = self._followed(node, fused, places[0])
            step = AddStep(activation, places, result, self.layout)
        elif isinstance(layer, Linear):
            result = self._put(node.output)
            step = BlasStep(index, layer, self.places[node.inputs[0]], result)
        else:
            step = self._plain(node)
            result = step.result
        operands = [self.places[operand] for operand in node.inputs if isinstance(operand, Value)]
        result.wanted = bool(step.parameters) or any(place.wanted for place in operands)
        self.steps.append(step)

    def _alike(self, node: Node) -> bool:
        """Whether all operands are values of the same dims that lie alike: none is a constant or repeated."""
        if not all(isinstance(value, Value) and value.dims == node.output.dims for value in node.inputs):
            return False
        return len({self.places[value].channels_last for value in node.inputs}) == 1

    def _followed(
        self, node: Node, fused: set[Node], like: Place | None = None
    ) -> tuple[Activation | None, Place]:
        """The activation that becomes part of a node's step, or None, and the place of the result."""
        follower = self.followers.get(node.output)
        if follower is None:
            return None, self._put(node.output, like)
        fused.add(follower)
        return follower.layer, self._put(follower.output, like)

    def _plain(self, node: Node):
        layer, rank = node.layer, len(node.output.dims) - 1
        source = self._operand(node.inputs[0])
        if isinstance(layer, Activation) and (rank == 1 or not layer.mixes_features):
            return ActivationStep(layer, source, self._put(node.output, source), self.layout)
        if isinstance(layer, (MaxPool2d, AvgPool2d)) and self.layout.samples:
            return PoolStep(layer, source, self._put(node.output), self.layout)
        if isinstance(layer, (Reshape, Transpose)):
            order = view_order(layer, source, node.output.dims[1:])
            if order is not None:
                return ViewStep(source, self._lay(node.output, order))
        operands = [self._operand(operand) for operand in node.inputs]
        return LayerStep(layer, operands, self._put(node.output))

    def _operand(self, operand: Value | Constant) -> Place | np.ndarray:
        return self.places[operand] if isinstance(operand, Value) else operand.column(np.float32)

    def _in_order(self, operand: Place | np.ndarray) -> Place | np.ndarray:
        """The operand, or a copy of it whose dims lie in their order."""
        if not isinstance(operand, Place) or not operand.channels_last:
            return operand
        copy = Place(operand.dims, 1, self.layout, channels_last=False)
        copy.wanted = operand.wanted
        self.steps.append(LayerStep(Reshape(operand.dims), [operand], copy))
        return copy


def view_order(layer: Reshape | Transpose, source: Place, dims: tuple[int, ...]) -> bool | None:
    """Whether channels lie last in what the layer makes of source without moving anything; None: it moves.

    dims  of a sample of the result
    """
    if isinstance(layer, Transpose):
        if layer.axes == tuple(range(1, len(dims) + 1)):
            return source.channels_last
        return not source.channels_last if layer.axes == (2, 1) else None
    in_order = not source.channels_last or source.dims[0] in (1, source.features)
    if in_order and (len(dims) != 3 or dims[0] in (1, math.prod(dims))):
        return len(dims) == 3
    return True if source.channels_last and len(dims) > 1 and dims[0] == source.dims[0] else None
