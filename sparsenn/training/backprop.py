"""A model as steps over places (steps.py, places.py), run forward and backward.

Where training spends its time. Arrays between steps are tiles (tiles.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from .. import _core
from ..errors import ArgumentError, UnsupportedError
from ..layers import ArrayLayer, Attention, Conv2d, Matrix, Recurrent
from ..model import Model
from .maker import Maker
from .norm import NormStep, Pass
from .steps import LinearStep
from .stepwise import is_softmax
from .tiles import Layout


class Network:
    """The steps of a model. Holds references to its arrays, never copies but those of the kernels.

    inputs   dims of a sample of each input;  outputs  features of each output
    softmax  for each output, whether a Softmax gives it
    """

    def __init__(self, model, *, threads: int, isa: bytes, truncate: int | None = None):
        """TypeError, ArgumentError or UnsupportedError where the model cannot be trained; it is only read.

        isa       the kernel set that every step is to use, whatever the environment says by then
        truncate  as rules.Rules has it
        """
        _check_model(model)
        kinds = (Conv2d, Recurrent, Attention, ArrayLayer)
        beside_sparse = any(
            isinstance(layer, kinds) or (isinstance(layer, Matrix) and layer.sparse) for layer in model.layers
        )
        # Beside BLAS's threads the core's own would only be in the way: see Maker.
        self.threads, self.isa = threads if beside_sparse else 1, isa
        samples = _core.tile_samples(isa) if beside_sparse else 0
        self.layout = Layout(samples, self.threads if beside_sparse else 0, self.threads, isa)
        self._pass = Pass()
        maker = Maker(model, self.layout, self._pass, beside_sparse=beside_sparse, truncate=truncate)
        self.steps = maker.steps
        self.inputs = tuple(value.dims[1:] for value in model.input_values)
        self.outputs = tuple(value.dims[-1] for value in model.output_values)
        self.softmax = tuple(is_softmax(value) for value in model.output_values)
        self.parameters = [parameter for step in self.steps for parameter in step.parameters]
        self.linear_steps = [step for step in self.steps if isinstance(step, LinearStep)]
        self.norm_steps = [step for step in self.steps if isinstance(step, NormStep)]
        self._sources = [maker.places[value] for value in model.input_values]
        self._results = [maker.places[value] for value in model.output_values]
        self._wanted = [step.result for step in self.steps if step.result.wanted]
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
        return [place.columns(batch) for place in results]

    def backward(self, slopes: Sequence[np.ndarray], logits: tuple[bool, ...]) -> None:
        """Fills every parameter's gradient from the outputs', (outputs, batch) each, after forward."""
        steps, results = self._route(logits)
        for place in self._wanted:
            place.forget()
        for place, slope in zip(results, slopes, strict=True):
            if place.wanted:
                place.hand_back(slope)
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
    if not model.linear_layers:
        raise ArgumentError(
            "model must hold at least one Linear, Conv2d or recurrent layer to train, got none"
        )
    counts = Counter(id(node.layer) for node in model.nodes)
    for layer in (*model.linear_layers, *model.array_layers):
        if counts[id(layer)] > 1:
            raise ArgumentError(
                f"model must not hold one {type(layer).__name__} object twice: it would be updated twice"
            )
    for value in (*model.input_values, *(node.output for node in model.nodes)):
        if None in value.dims[1:]:
            raise UnsupportedError(
                f"training takes values of fixed dims behind the batch, got {value!r}: snn.train takes the "
                "sizes of X, model.with_dims any"
            )
    for value in model.output_values:
        if len(value.dims) > 3:
            raise UnsupportedError(
                f"training takes outputs of (batch, features) or (batch, steps, features), got {value!r}: "
                "put a Flatten behind it"
            )
