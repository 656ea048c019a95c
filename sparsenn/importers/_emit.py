"""From wires to a Model: a chain where they are one, else a graph."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from ..errors import UnsupportedError
from ..graph.value import Input, Value
from ..layers import Activation, Add, Mul, Reshape, Sub
from ..model import Model
from ._attention import attended
from ._axis_norms import normals
from ._convolutions import Convolution, folded
from ._patterns import recognised
from ._recurrent import trimmed
from ._steps import Affine, Normalisation, Scale, as_constant, as_identity, build_model, linear, merge_scales
from ._transposes import cancelled
from ._wires import Erf, IsNaN, Wire, in_order, rewrite

# Features of an output that is an input as it came, and values that a constant is spread over.
WIDEST_IDENTITY, MOST_SPREAD = 1 << 17, 1 << 22

Named = list[tuple[str, Wire]]


def emit(
    inputs: Named,
    outputs: Named,
    *,
    hint: str = "",
    keep_batch_norm: bool = False,
    numbers: bool = False,
) -> Model:
    """The Model that computes the outputs of the inputs, where they are needed; hint: how to give sizes.

    A chain of layers takes and gives (batch, features), whatever the sizes of its input. ArgumentError for
    weights that are not finite or do not fit, UnsupportedError for what no model can do.

    keep_batch_norm  as layers, not folded
    numbers          whether outputs of one number a sample, (batch,), are given as (batch, 1)
    """
    for name, wire in outputs:
        if not wire.sizes and not numbers:
            raise UnsupportedError(f"the output {name!r:.80} must keep a dimension beside the batch")
    wires = [wire for _, wire in outputs]
    wires = attended(normals(rewrite(wires, _kept) if keep_batch_norm else wires))
    wires = cancelled(wires)
    wires = trimmed(folded(recognised(wires)))
    for kind, place in ((Erf, "the formula of GELU"), (IsNaN, "the softmax of attention")):
        if any(isinstance(wire.step, kind) for wire in in_order(wires)):
            raise UnsupportedError(f"op {kind.__name__!r} is supported in {place} alone")
    if len(outputs) == 1:
        chain = _chain(wires[0])
        if chain is not None:
            steps, start = chain
            return build_model(steps, width=None if None in start.sizes else math.prod(start.sizes))
    graph = _Graph(inputs, [(name, wire) for (name, _), wire in zip(outputs, wires, strict=True)])
    for wire in graph.order:
        if isinstance(wire.step, Affine) and wire.operands[0].sizes == (None,):
            raise UnsupportedError(f"{wire.step.name} must know its features{hint and ': ' + hint}")
    return graph.model()


def _kept(wire: Wire) -> Wire:
    """A batch normalisation as a layer."""
    step = wire.step
    return Wire(step.layer(), wire.operands, wire.sizes) if isinstance(step, Normalisation) else wire


def _chain(wire: Wire) -> tuple[list, Wire] | None:
    """The steps of a chain with a linear layer, and the input it starts at; None for any other graph."""
    if len(wire.sizes) != 1:
        return None
    steps, products = [], 0
    while wire.step is not None:
        step = wire.step
        if len(wire.operands) != 1 or not isinstance(step, (Affine, Scale, Activation, Reshape)):
            return None
        products += isinstance(step, Affine)
        if isinstance(step, Scale):
            step = _spread(step, wire)
        if not isinstance(step, Reshape):
            steps.append(step)
        wire = wire.operands[0]
    return (steps[::-1], wire) if products else None


def _spread(scale: Scale, wire: Wire) -> Scale:
    """A Scale of samples of several dimensions for their values one after the other."""
    if len(wire.sizes) == 1 or scale.scale.size == scale.shift.size == 1:
        return Scale(scale.scale.reshape(-1), scale.shift.reshape(-1), scale.name)
    if None in wire.sizes or math.prod(wire.sizes) > MOST_SPREAD:
        raise UnsupportedError(
            f"{scale.name} must spread a constant over at most {MOST_SPREAD} values, got sizes {wire.sizes}"
        )
    parts = (
        part.reshape(1) if part.size == 1 else np.broadcast_to(part, wire.sizes).reshape(-1)
        for part in (scale.scale, scale.shift)
    )
    return Scale(*parts, scale.name)


class _Graph:
    """The values of the wires, made one after the other."""

    def __init__(self, inputs: Named, outputs: Named):
        self.order = in_order(wire for _, wire in outputs)
        self.places = {wire: index for index, wire in enumerate(self.order)}
        self.inputs = [(name, wire) for name, wire in inputs if wire in self.places]
        self.outputs = outputs
        self.values: dict[Wire, Value] = {}
        self.layers: dict[tuple, object] = {}
        self.kept: list = []  # arrays whose identity is a key

    def model(self) -> Model:
        names = [name for name, _ in (*self.inputs, *self.outputs)]
        for name, wire in self.inputs:
            self.values[wire] = Input(wire.sizes, name=name if names.count(name) == 1 else None)
        for wires in self._runs():
            start = wires[0]
            operands = [self.values[operand] for operand in start.operands]
            self.values[wires[-1]] = self._value(wires, operands)
        made: list[Value] = []
        for _, wire in self.outputs:
            value = self.values[wire]
            made.append(_copy_of(value) if value.producer is None or value in made else value)
        named = [None if names.count(name) > 1 else name for name, _ in self.outputs]
        outputs = dict(zip(named, made, strict=True)) if None not in named else made
        return Model(inputs=[self.values[wire] for _, wire in self.inputs], outputs=outputs)

    def _runs(self) -> list[list[Wire]]:
        """The wires, those in one run that are read by the next alone, so that scales can be folded."""
        readers = Counter(operand for wire in self.order for operand in wire.operands)
        readers.update(wire for _, wire in self.outputs)
        runs: dict[Wire, list[Wire]] = {}  # by their last wire
        for wire in self.order:
            if wire.step is None:
                continue
            if _is_link(wire) and readers[wire.operands[0]] == 1 and _is_link(wire.operands[0]):
                run = runs.pop(wire.operands[0])
                run.append(wire)
            else:
                run = [wire]
            runs[wire] = run
        return sorted(runs.values(), key=lambda run: self.places[run[-1]])

    def _value(self, run: list[Wire], operands: list[Value]) -> Value:
        if isinstance(step := run[0].step, Convolution):
            return self._shared(step)(*operands)
        if not _is_link(run[0]):
            return _scaled(step, *operands) if isinstance(step, Scale) else step(*operands)
        (value,) = operands
        for step in merge_scales([wire.step for wire in run]):
            if isinstance(step, Affine):
                value = self._shared(step)(value)
            elif isinstance(step, Scale):
                value = _scaled(step, value)
            else:
                value = step(value)
        return value

    def _shared(self, step: Affine | Convolution):
        """The layer of a step; one for all that read the same arrays."""
        self.kept.append(step)
        key = tuple(_identity(array) for array in (step.weight, step.bias))
        if isinstance(step, Convolution):
            key = (*key, step.window, step.groups)
        if key not in self.layers:
            self.layers[key] = step.layer() if isinstance(step, Convolution) else linear(step)
        return self.layers[key]


def _is_link(wire: Wire) -> bool:
    """Whether a wire is a step that folds with its neighbours: of one operand, on (batch, features)."""
    return isinstance(wire.step, (Affine, Scale, Activation)) and len(wire.sizes) == 1


def _identity(array) -> tuple:
    """What tells whether two arrays are the same memory."""
    if isinstance(array, np.ndarray):
        return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype
    return (id(array),)


def _scaled(scale: Scale, value: Value) -> Value:
    if (scale.scale == -1).all() and np.any(scale.shift):
        return Sub()(as_constant(scale.shift, scale.name), value)
    for layer, part, neutral in ((Mul(), scale.scale, 1), (Add(), scale.shift, 0)):
        if not (part == neutral).all():
            value = layer(value, as_constant(part, scale.name))
    return value


def _copy_of(value: Value) -> Value:
    """The same again under a name of its own: an input that is an output, or an output given twice."""
    sizes = value.dims[1:]
    if None in sizes or math.prod(sizes) > WIDEST_IDENTITY:
        raise UnsupportedError(
            f"an output that is an input must have 1 to {WIDEST_IDENTITY} known features, got sizes {sizes}"
        )
    if len(sizes) == 1:
        return linear(as_identity(sizes[0], name="the input"))(value)
    return Reshape(sizes)(value)
