"""The steps of a model for training, and the places of its values."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..graph.node import Node
from ..graph.value import Constant, Value
from ..layers import (
    Activation,
    Add,
    Attention,
    AvgPool2d,
    AxisNorm,
    BatchNorm,
    Conv2d,
    Embedding,
    Linear,
    MaxPool2d,
    Recurrent,
    Reshape,
    Transpose,
)
from ..model import Model
from .attention import AttentionStep
from .norm import NormStep, Pass
from .places import Place, lies_alike, usual_order
from .recurrent import RecurrentStep
from .steps import ActivationStep, AddStep, BlasStep, KernelStep, LayerStep, PoolStep, ViewStep
from .tiles import Layout
from .tokens import AxisNormStep, EmbeddingStep
from .views import view_order

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
        return self._lay(value, None if like is None else like.order)

    def _lay(self, value: Value, order: tuple[int, ...] | None) -> Place:
        place = Place(value.dims[1:], self.readers[value], self.layout, order=order)
        return self.places.setdefault(value, place)

    def _add(self, index: int, node: Node, fused: set[Node]) -> None:
        step = (
            self._with_weight(index, node, fused) or self._of_tokens(index, node) or self._other(node, fused)
        )
        operands = [self.places[operand] for operand in node.inputs if isinstance(operand, Value)]
        reached = node.layer.passes_slopes and any(place.wanted for place in operands)
        step.result.wanted = bool(step.parameters) or reached
        self.steps.append(step)

    def _with_weight(self, index: int, node: Node, fused: set[Node]):
        """The step of a layer with a weight or of a BatchNorm, which may end in an activation; else None."""
        layer = node.layer
        if isinstance(layer, BatchNorm):
            source = self.places[node.inputs[0]]
            activation, result = self._followed(node, fused, source)
            return NormStep(index, layer, activation, source, result, self.layout, self.current)
        if isinstance(layer, Recurrent):
            operands = [self._lying(self._operand(operand)) for operand in node.inputs]
            result = self._put(node.output)
            return RecurrentStep(index, layer, operands, result, self.layout, self.truncate)
        if not isinstance(layer, (Conv2d, Linear)):
            return None
        small = isinstance(layer, Conv2d) or (self.beside_sparse and layer.weight.size <= _SMALL)
        if layer.sparse or small:
            activation, result = self._followed(node, fused)
            source = self._usual(self.places[node.inputs[0]])
            return KernelStep(index, layer, activation, source, result, self.layout)
        return BlasStep(index, layer, self.places[node.inputs[0]], self._put(node.output))

    def _of_tokens(self, index: int, node: Node):
        """The step of an Attention, of a normalisation along an axis or of an Embedding; else None."""
        layer, layout = node.layer, self.layout
        if isinstance(layer, Attention) and not self._mask_is_trained(node):
            operands = [self._operand(operand) for operand in node.inputs]
            result = self._put(node.output, operands[0])
            return AttentionStep(layer, operands, result, layout, self.current)
        if isinstance(layer, AxisNorm):
            source = self.places[node.inputs[0]]
            result = self._put(node.output, source)
            return AxisNormStep(index, layer, source, result, layout, self.current)
        if isinstance(layer, Embedding):
            source = self._lying(self.places[node.inputs[0]])
            result = self._lay(node.output, tuple(range(len(node.output.dims) - 1)))
            return EmbeddingStep(index, layer, source, result, layout, self.current)
        return None

    def _other(self, node: Node, fused: set[Node]):
        layer = node.layer
        if isinstance(layer, Add) and self.layout.samples and self._alike(node):
            places = [self.places[value] for value in node.inputs]
            activation, result = self._followed(node, fused, places[0])
            return AddStep(activation, places, result, self.layout)
        return self._plain(node)

    def _alike(self, node: Node) -> bool:
        """Whether all operands are values of the same dims that lie alike: none is a constant or repeated."""
        if not all(isinstance(value, Value) and value.dims == node.output.dims for value in node.inputs):
            return False
        first, *others = (self.places[value] for value in node.inputs)
        return all(lies_alike(first.dims, first.order, other.order) for other in others)

    def _mask_is_trained(self, node: Node) -> bool:
        """Whether gradients go back to what an attention adds to its scores."""
        mask = node.inputs[3] if len(node.inputs) > 3 else None
        return isinstance(mask, Value) and self.places[mask].wanted

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
            return PoolStep(layer, self._usual(source), self._put(node.output), self.layout)
        if isinstance(layer, (Reshape, Transpose)):
            order = view_order(layer, source, node.output.dims[1:])
            if order is not None:
                return ViewStep(source, self._lay(node.output, order))
        operands = [self._operand(operand) for operand in node.inputs]
        like = next(place for place in operands if isinstance(place, Place))
        result = self._put(node.output, like if len(like.dims) == rank else None)
        return LayerStep(layer, operands, result)

    def _operand(self, operand: Value | Constant) -> Place | np.ndarray:
        return self.places[operand] if isinstance(operand, Value) else operand.column(np.float32)

    def _usual(self, place: Place) -> Place:
        """The place, or a copy of it that lies as values of its dims do where nothing else is said."""
        return self._lying(place, usual_order(place.dims))

    def _lying(self, operand: Place | np.ndarray, order: tuple[int, ...] | None = None) -> Place | np.ndarray:
        """The operand, or a copy of it whose dims lie in that order; None: in their own."""
        if not isinstance(operand, Place):
            return operand
        order = tuple(range(len(operand.dims))) if order is None else order
        if lies_alike(operand.dims, operand.order, order):
            return operand
        copy = Place(operand.dims, 1, self.layout, order=order)
        copy.wanted = operand.wanted
        self.steps.append(LayerStep(Reshape(operand.dims), [operand], copy))
        return copy
