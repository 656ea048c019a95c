"""A model as steps over places (steps.py, places.py), run forward and backward.

Where training spends its time. Arrays between steps are tiles (tiles.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from .. import _core
from ..errors import ArgumentError, UnsupportedError
from ..graph.node import Node
from ..graph.value import Value
from ..layers import Activation, Add, AvgPool2d, BatchNorm, Conv2d, Linear, MaxPool2d, Softmax
from ..model import Model
from .norm import NormStep, Pass
from .places import Place
from .steps import ActivationStep, AddStep, BlasStep, KernelStep, LayerStep, LinearStep, PoolStep
from .tiles import Layout

_SMALL = 2**20  # weights of a dense layer that goes through the sparse kernels beside sparse layers


class Network:
    """The steps of a model. Holds references to its arrays, never copies but those of the kernels.

    inputs   dims of a sample of each input;  outputs  features of each output
    softmax  for each output, whether a Softmax gives it
    """

    def __init__(self, model, *, threads: int, isa: bytes):
        """TypeError, ArgumentError or UnsupportedError where the model cannot be trained; it is only read.

        isa  the kernel set that every step is to use, whatever the environment says by then
        """
        _check_model(model)
        beside_sparse = any(layer.sparse or isinstance(layer, Conv2d) for layer in model.linear_layers)
        # Beside BLAS's threads the core's own would only be in the way: see _Maker.
        self.threads, self.isa = threads if beside_sparse else 1, isa
        samples = _core.tile_samples(isa) if beside_sparse else 0
        self.layout = Layout(samples, self.threads if beside_sparse else 0, self.threads, isa)
        self._pass = Pass()
        maker = _Maker(model, self.layout, self._pass, beside_sparse=beside_sparse)
        self.steps = maker.steps
        self.inputs = tuple(value.dims[1:] for value in model.input_values)
        self.outputs = tuple(value.dims[1] for value in model.output_values)
        self.softmax = tuple(isinstance(v.producer.layer, Softmax) for v in model.output_values)
        self.parameters = [parameter for step in self.steps for parameter in step.parameters]
        self.linear_steps = [step for step in self.steps if isinstance(step, LinearStep)]
        self.norm_steps = [step for step in self.steps if isinstance(step, NormStep)]
        self._sources = [maker.places[value] for value in model.input_values]
        self._results = [maker.places[value] for value in model.output_values]
        self._wanted = [place for place in maker.places.values() if place.wanted]
        self._routes: dict[tuple[bool, ...], tuple[list, list]] = {}
        self.refresh()

    def check_unchanged(self) -> None:
        """RuntimeError when an array of the model was replaced, so that training would miss the model."""
        for step in self.steps:
            step.check_unchanged()

    def refresh(self) -> None:
        """Takes the model's present values into the kernels, after they were changed by other hands."""
        for parameter in self.parameters:
            parameter.refresh()

    def forward(
        self, features: Sequence[np.ndarray], logits: tuple[bool, ...], *, training: bool
    ) -> list[np.ndarray]:
        """features (batch, ...) of each input -> (outputs, batch) of each output.

        logits    for each output, whether it is wanted without the Softmax that gives it
        training  whether batches are normalised by their own statistics
        """
        steps, results = self._route(logits)
        batch = len(features[0])
        self._pass.samples, self._pass.training = batch, training
        for place, given in zip(self._sources, features, strict=True):
            place.load(given, self.layout)
        for step in steps:
            step.forward()
        return [self.layout.take_out(place.value, place.features, batch) for place in results]

    def backward(self, slopes: Sequence[np.ndarray], logits: tuple[bool, ...]) -> None:
        """Fills every parameter's gradient from the outputs', (outputs, batch) each, after forward."""
        steps, results = self._route(logits)
        for place in self._wanted:
            place.forget()
        for place, slope in zip(results, slopes, strict=True):
            if place.wanted:
                place.add(self.layout.put(slope, place.begin()))
        for step in reversed(steps):
            if step.result.wanted:
                step.backward()

    def move_statistics(self) -> None:
        """Takes the last batch that trained into the running statistics."""
        for step in self.norm_steps:
            step.move_statistics()

    def _route(self, logits: tuple[bool, ...]) -> tuple[list, list]:
        """The steps that are needed, and the places that they lead to: with logits, before a Softmax."""
        if logits not in self._routes:
            makers = {step.result: step for step in self.steps}
            results, left_out = [], set()
            for place, plain, wanted in zip(self._results, self.softmax, logits, strict=True):
                if plain and wanted:
                    step = makers[place]
                    results.append(step.source)
                    left_out |= {step} if place.readers == 1 else set()
                else:
                    results.append(place)
            self._routes[logits] = [step for step in self.steps if step not in left_out], results
        return self._routes[logits]


def _check_model(model) -> None:
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, got {type(model).__name__}")
    for layer in model.linear_layers:
        if not isinstance(layer, (Linear, Conv2d)):
            raise UnsupportedError(f"training takes Linear and Conv2d layers only, got {layer!r}")
    if not model.linear_layers:
        raise ArgumentError("model must hold at least one Linear or Conv2d to train, got none")
    counts = Counter(id(node.layer) for node in model.nodes)
    for layer in (*model.linear_layers, *model.norm_layers):
        if counts[id(layer)] > 1:
            raise ArgumentError(
                f"model must not hold one {type(layer).__name__} object twice: it would be updated twice"
            )
    for value in (*model.input_values, *(node.output for node in model.nodes)):
        if None in value.dims[1:]:
            raise UnsupportedError(f"training takes values of fixed dims behind the batch, got {value!r}")
    for value in model.output_values:
        if len(value.dims) != 2:
            raise UnsupportedError(
                f"training takes outputs of (batch, features), got {value!r}: put a Flatten behind it"
            )


class _Maker:
    """The steps of a model, and the places of its values.

    BLAS brings threads of its own. Where its calls alternate with the kernels', the idle threads of each keep
    the processors busy for a while and hold up the other, by milliseconds a step. So a dense layer that is
    not large goes through the kernels where those run anyway, at a cost of about 30 bytes a weight. An
    activation that alone reads such a layer is part of its step.
    """

    def __init__(self, model: Model, layout: Layout, current: Pass, *, beside_sparse: bool):
        self.layout, self.current, self.beside_sparse = layout, current, beside_sparse
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

    def _put(self, value: Value) -> Place:
        return self.places.setdefault(value, Place(value.dims[1:], self.readers[value], self.layout))

    def _add(self, index: int, node: Node, fused: set[Node]) -> None:
        layer = node.layer
        if isinstance(layer, Conv2d) or (
            isinstance(layer, Linear)
            and (layer.sparse or (self.beside_sparse and layer.weight.size <= _SMALL))
        ):
            activation, result = self._followed(node, fused)
            source = self.places[node.inputs[0]]
            step = KernelStep(index, layer, activation, source, result, self.layout)
        elif isinstance(layer, BatchNorm):
            activation, result = self._followed(node, fused)
            source = self.places[node.inputs[0]]
            step = NormStep(index, layer, activation, source, result, self.layout, self.current)
        elif isinstance(layer, Add) and self.layout.samples and self._alike(node):
            activation, result = self._followed(node, fused)
            step = AddStep(activation, [self.places[value] for value in node.inputs], result, self.layout)
        elif isinstance(layer, Linear):
            result = self._put(node.output)
            step = BlasStep(index, layer, self.places[node.inputs[0]], result)
        else:
            result = self._put(node.output)
            step = self._plain(node, result)
        operands = [self.places[operand] for operand in node.inputs if isinstance(operand, Value)]
        result.wanted = bool(step.parameters) or any(place.wanted for place in operands)
        self.steps.append(step)

    def _alike(self, node: Node) -> bool:
        """Whether all operands are values of the same dims: none is a constant or repeated along an axis."""
        return all(isinstance(value, Value) and value.dims == node.output.dims for value in node.inputs)

    def _followed(self, node: Node, fused: set[Node]) -> tuple[Activation | None, Place]:
        """The activation that becomes part of a node's step, or None, and the place of the result."""
        follower = self.followers.get(node.output)
        if follower is None:
            return None, self._put(node.output)
        fused.add(follower)
        return follower.layer, self._put(follower.output)

    def _plain(self, node: Node, result: Place):
        layer = node.layer
        if isinstance(layer, Activation) and (len(result.dims) == 1 or not layer.mixes_features):
            return ActivationStep(layer, self.places[node.inputs[0]], result, self.layout)
        if isinstance(layer, (MaxPool2d, AvgPool2d)) and self.layout.samples:
            return PoolStep(layer, self.places[node.inputs[0]], result, self.layout)
        operands = [
            self.places[operand] if isinstance(operand, Value) else operand.column(np.float32)
            for operand in node.inputs
        ]
        return LayerStep(layer, operands, result)
