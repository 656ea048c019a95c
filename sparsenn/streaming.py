"""Recurrent models fed step by step: what they hold between two calls is given and taken beside the steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .checks import check_integer
from .errors import ArgumentError, UnsupportedError
from .graph.node import Node
from .graph.value import Constant, Input, Value
from .graph.walk import walk
from .inputs import as_arrays, as_batch
from .layers import Recurrent, Slice
from .model import Model

if TYPE_CHECKING:
    from .plan import Plan

STEPS = 3  # for telling which steps an output depends on


@dataclass(frozen=True)
class Streamed:
    """A model that goes on where it stopped.

    model   its inputs and outputs, and behind them the states of each recurrent layer: inputs (hidden,)
            each, an output (states, hidden)
    firsts  what each of these inputs begins with, (hidden,)
    """

    model: Model
    firsts: dict[str, np.ndarray]


def streamed(model: Model) -> Streamed:
    """The model with its states as inputs and outputs. UnsupportedError where steps cannot come by and by."""
    _check_steps(model)
    taken = {value.name for value in (*model.input_values, *model.output_values)}
    firsts: dict[str, np.ndarray] = {}
    starts: list[Value] = []
    states: dict[str, Value] = {}
    layers: dict[int, Recurrent] = {}

    def free(name: str) -> str:
        while name in taken:
            name += "_"
        taken.add(name)
        return name

    def step(node: Node, operands: list):
        layer = node.layer
        if not isinstance(layer, Recurrent):
            return layer(*operands)
        _check_layer(node)
        count = layer.state_count
        given = operands[1 : 1 + count] if layer.initial else [None] * count
        own = [Input((layer.hidden,), name=free(f"state{len(firsts) + i}")) for i in range(count)]
        for value, first in zip(own, given, strict=True):
            firsts[value.name] = np.zeros(layer.hidden, np.float32) if first is None else first.array
        starts.extend(own)
        if id(layer) not in layers:
            options = layer.options | {"initial": True, "states": True}
            layers[id(layer)] = type(layer)(layer.weight, layer.bias, **options)
        rest = operands[1 + count * layer.initial :]
        made = layers[id(layer)](operands[0], *own, *rest)
        states[free(f"states{len(states)}")] = Slice(1, -count)(made)
        return Slice(1, 0, -count)(made)

    inputs = {value: Input(value.dims[1:], name=value.name) for value in model.input_values}
    made = walk(model, inputs, step, constant=lambda same: same)
    outputs = {value.name: made[value] for value in model.output_values} | states
    return Streamed(Model(inputs=[*inputs.values(), *starts], outputs=outputs), firsts)


def _check_layer(node: Node) -> None:
    layer = node.layer
    if layer.reverse:
        raise UnsupportedError(f"a stream needs layers that go forward, got {layer!r}")
    if layer.lengths or layer.states:
        raise UnsupportedError(f"a stream needs layers without lengths and states, got {layer!r}")
    if layer.initial and not all(isinstance(own, Constant) for own in node.inputs[1 : 1 + layer.state_count]):
        raise UnsupportedError(f"a stream needs first states that are constants, got values for {layer!r}")


def _check_steps(model: Model) -> None:
    """Whether each step of the outputs depends on the same step of the inputs, and else on states alone."""
    if not any(isinstance(layer, Recurrent) for layer in model.layers):
        raise UnsupportedError("a stream needs a model with a recurrent layer, got none")
    for value in (*model.input_values, *model.output_values):
        if len(value.dims) < 2 or value.dims[1] is not None:
            raise UnsupportedError(
                "a stream needs an open number of steps, dims (None, None, ...) of each input and output, "
                f"got {value.name!r} {value.dims}"
            )
    dims = [tuple(STEPS if axis == 1 else dim for axis, dim in enumerate(v.dims)) for v in model.input_values]
    fixed = model.with_dims(dims)
    for at in range(STEPS):
        masks = {value: np.zeros((*value.dims[1:], 1), bool) for value in fixed.input_values}
        for mask in masks.values():
            mask[at] = True
        carried = walk(fixed, masks, _reached, constant=lambda own: np.zeros_like(own.column(bool)))
        for value in fixed.output_values:
            reached = carried[value].reshape(len(carried[value]), -1).any(axis=1)
            if (np.flatnonzero(reached) != [at]).any() or not reached.any():
                raise UnsupportedError(
                    f"a stream needs outputs of which a step depends on the same step of the inputs and on "
                    f"what was before, by recurrent layers alone; {value.name!r} does not"
                )


def _reached(node: Node, masks: list[np.ndarray]) -> np.ndarray:
    """What depends on that step, states left out."""
    if not isinstance(node.layer, Recurrent):
        return node.layer.depends(*masks)
    whole = masks[0].any(axis=1, keepdims=True)
    return np.broadcast_to(whole, (len(whole), node.layer.hidden, 1))


class Stream:
    """What a plan knows of some sequences that come bit by bit: made by Plan.stream.

    batch  sequences side by side
    """

    def __init__(self, plan: Plan, outputs: list[str], firsts: dict[str, np.ndarray], batch: int):
        self._plan, self._outputs, self._firsts = plan, outputs, firsts
        self.batch = check_integer("batch", batch, minimum=1)
        self.reset()

    def feed(self, x) -> np.ndarray | dict[str, np.ndarray]:
        """The next steps, (batch, steps, ...) -> their outputs: the bits that one run of all steps gives.

        Several inputs are a dict of name to array, as for Plan.run; so are several outputs. Any number of
        steps from 1 on; the first call of a number makes it ready, as the first run of a shape does.
        """
        ports = [(name, dims) for name, dims in self._plan.input_dims.items() if name not in self._firsts]
        arrays = as_arrays(ports, x)
        if arrays[0].shape[0] != self.batch:
            raise ArgumentError(f"x must hold the stream's batch of {self.batch}, got {arrays[0].shape[0]}")
        given = dict(zip((name for name, _ in ports), arrays, strict=True))
        made = self._plan.run(given | self._states)
        states = [
            array[:, i]
            for name, array in made.items()
            if name not in self._outputs
            for i in range(array.shape[1])
        ]
        self._states = {name: own for name, own in zip(self._firsts, states, strict=True)}
        y = {name: made[name] for name in self._outputs}
        return y if len(y) > 1 else y[self._outputs[0]]

    def reset(self) -> None:
        """Back to the beginning of all sequences."""
        self._states = {name: np.tile(first, (self.batch, 1)) for name, first in self._firsts.items()}

    @property
    def state(self) -> dict[str, np.ndarray]:
        """A copy of all that it holds, (batch, hidden) float32 by name; assign one to go on from there."""
        return {name: own.copy() for name, own in self._states.items()}

    @state.setter
    def state(self, given: dict[str, np.ndarray]) -> None:
        if not isinstance(given, dict) or set(given) != set(self._firsts):
            raise ArgumentError(
                f"state must be a dict with arrays for {list(self._firsts)}, got {given!r:.80}"
            )
        states = {
            name: as_batch(given[name], inputs=first.size, name=f"state[{name!r}]").copy()
            for name, first in self._firsts.items()
        }
        for name, own in states.items():
            if len(own) != self.batch:
                raise ArgumentError(
                    f"state[{name!r}] must hold the stream's batch of {self.batch}, got {len(own)}"
                )
        self._states = states

    def copy(self) -> Stream:
        """A stream of its own that goes on from here."""
        made = Stream(self._plan, self._outputs, self._firsts, self.batch)
        made.state = self.state
        return made
