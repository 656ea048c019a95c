"""Transposes that cancel: each is moved behind what can be done in another order of the dimensions.

What a wire computes is looked at as another wire and an order: dimension i is dimension order[i] of that. A
transpose changes the order alone. What needs its dimensions as they are, as a convolution, or an output, is
where a transpose is made of an order that is left.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..layers import (
    Activation,
    AxisSoftmax,
    BatchNorm,
    Concat,
    Expand,
    MatMul,
    Pad,
    Pair,
    Reshape,
    Resize,
    Slice,
    Transpose,
    Where,
)
from ..layers.layer import Pointwise
from ..layers.reduce import Reduce
from ._axis_norms import AxisNormal
from ._convolutions import Convolution, with_padding
from ._steps import Against, Beside, Scale
from ._wires import Erf, Sizes, Wire, in_order

Order = tuple[int, ...]
Turned = tuple[Wire, Order]  # a wire and the order of its dimensions


def cancelled(wires: list[Wire]) -> list[Wire]:
    """The wires with as few transposes as are found; as they are where that is no fewer."""
    count = _count(wires)
    if not count:
        return wires
    made = min((_Moved(early=early).wires(wires) for early in (True, False)), key=_count)
    return made if _count(made) < count else wires


def _count(wires: list[Wire]) -> int:
    return sum(isinstance(wire.step, Transpose) for wire in in_order(wires))


def _inverse(order: Order) -> Order:
    return tuple(int(place) for place in np.argsort(order))


def _ordered(sizes: Sizes, order: Order) -> Sizes:
    return tuple(sizes[place] for place in order)


class _Moved:
    """One way to move them. early: where operands have unlike orders the plain one is taken, else another."""

    def __init__(self, *, early: bool):
        self.early = early
        self.turned: dict[Wire, Turned] = {}
        self.made: dict[Turned, Wire] = {}
        self.moved: dict[tuple[Wire, Sizes, Order], Wire] = {}

    def wires(self, wires: list[Wire]) -> list[Wire]:
        for wire in in_order(wires):
            self.turned[wire] = self._turned(wire)
        return [self._plain(*self.turned[wire]) for wire in wires]

    def _turned(self, wire: Wire) -> Turned:
        operands = [self.turned[operand] for operand in wire.operands]
        if isinstance(wire.step, Transpose):
            start, order = operands[0]
            return start, tuple(order[axis - 1] for axis in wire.step.axes)
        if isinstance(wire.step, Reshape):
            return self._reshaped(wire, *operands[0])
        if isinstance(wire.step, MatMul):
            return self._multiplied(wire, operands)
        order = self._common(operands) if operands else ()
        step = _through(wire.step, order) if order != tuple(range(len(order))) else None
        if step is None or any(len(own) != len(wire.sizes) for _, own in operands):
            plain = tuple(self._plain(*operand) for operand in operands)
            return self._same_or(wire, plain), tuple(range(len(wire.sizes)))
        aligned = tuple(self._in_order(*operand, order) for operand in operands)
        return Wire(step, aligned, _ordered(wire.sizes, _inverse(order))), order

    def _multiplied(self, wire: Wire, operands: list[Turned]) -> Turned:
        """Of an operand whose last two dimensions alone are swapped, the product takes the source."""
        plain, turns = [], [wire.step.turn_a, wire.step.turn_b]
        for index, (start, order) in enumerate(operands):
            rank = len(order)
            swapped = order == (*range(rank - 2), rank - 1, rank - 2)
            turns[index] ^= swapped
            plain.append(start if swapped else self._plain(start, order))
        made = self._same_or(wire, tuple(plain)) if turns == [wire.step.turn_a, wire.step.turn_b] else Wire(
            MatMul(*turns), tuple(plain), wire.sizes
        )  # fmt: skip
        return made, tuple(range(len(wire.sizes)))

    def _same_or(self, wire: Wire, operands: tuple[Wire, ...]) -> Wire:
        """The wire, or one of the same step; a convolution takes padding over that is there by now."""
        step = wire.step
        while isinstance(step, Convolution) and (taken := _with_pad(step, operands[0])):
            step, operands = taken, operands[0].operands
        same = step is wire.step and all(a is b for a, b in zip(operands, wire.operands, strict=True))
        return wire if same else Wire(step, operands, wire.sizes)

    def _common(self, operands: list[Turned]) -> Order:
        """The order of the operands in which fewest of them have to be transposed."""
        orders = list(dict.fromkeys(order for _, order in operands))
        if len({len(order) for order in orders}) > 1:
            return ()
        plain = [order for order in orders if order == tuple(range(len(order)))]
        others = [order for order in orders if order not in plain]
        orders = [*plain, *others] if self.early else [*others, *plain]

        def cost(order: Order) -> int:
            needed = {(start, self._between(own, order)) for start, own in operands}
            return sum(not self._is_there(*operand) for operand in needed)

        return min(orders, key=cost)

    def _between(self, own: Order, order: Order) -> Order:
        """What transposes a wire of one order so that it is right in another."""
        return _ordered(own, _inverse(order))

    def _is_there(self, start: Wire, order: Order) -> bool:
        return (start, order) in self.made or _moves_ones(start.sizes, order)

    def _in_order(self, start: Wire, own: Order, order: Order) -> Wire:
        return self._plain(start, self._between(own, order))

    def _plain(self, start: Wire, order: Order) -> Wire:
        """A wire with its dimensions in that order: itself, a view or a transpose of it."""
        if order == tuple(range(len(order))):
            return start
        key = start, order
        if key not in self.made:
            sizes = _ordered(start.sizes, order)
            moved = start if _moves_ones(start.sizes, order) else self._transposed(start, order)
            self.made[key] = _view(moved, sizes)
        return self.made[key]

    def _transposed(self, start: Wire, order: Order) -> Wire:
        """A transpose of the dimensions that are not 1: one for all views that differ in those."""
        base = start
        while isinstance(base.step, Reshape):
            base = base.operands[0]
        kept = [place for place, size in enumerate(start.sizes) if size != 1]
        own, sizes = (
            tuple(kept.index(place) for place in order if place in kept),
            _ordered(start.sizes, tuple(kept)),
        )
        key = base, sizes, own
        if key not in self.moved:
            axes = tuple(place + 1 for place in own)
            self.moved[key] = Wire(Transpose(axes), (_view(start, sizes),), _ordered(sizes, own))
        return self.moved[key]

    def _reshaped(self, wire: Wire, start: Wire, order: Order) -> Turned:
        """A view that changes dimensions of 1 alone is one in any order; any other is in the plain one."""
        plain = tuple(range(len(wire.sizes)))
        old, new = (
            [place for place, size in enumerate(sizes) if size != 1]
            for sizes in (_ordered(start.sizes, order), wire.sizes)
        )
        if _moves_ones(start.sizes, order):
            return _view(start, wire.sizes), plain
        if [start.sizes[order[place]] for place in old] != [wire.sizes[place] for place in new]:
            view = _split_or_joined(start, order, wire.sizes)
            return view or (self._same_or(wire, (self._plain(start, order),)), plain)
        kept = [order[place] for place in old]  # dimensions of start that are not 1, as the result has them
        ones = len(wire.sizes) - len(new)
        rank = {place: ones + index for index, place in enumerate(sorted(kept))}
        left, moved = iter(range(ones)), iter(kept)
        made = tuple(next(left) if size == 1 else rank[next(moved)] for size in wire.sizes)
        return _view(start, _ordered(wire.sizes, _inverse(made))), made


def _split_or_joined(start: Wire, order: Order, sizes: Sizes) -> Turned | None:
    """A view of start with dimensions cut in parts, or joined that stand side by side there as well."""
    groups = _groups(_ordered(start.sizes, order), sizes)
    if groups is None:
        return None
    places = []  # of start, for each group
    for old, _ in groups:
        own = order[old.start : old.stop]
        if list(own) != list(range(own[0], own[0] + len(own))):
            return None
        places.append(own[0])
    made: list[int] = [0] * len(sizes)
    at, view = 0, []
    for index in np.argsort(places):
        for place in groups[index][1]:
            made[place] = at
            view.append(sizes[place])
            at += 1
    return _view(start, tuple(view)), tuple(made)


def _groups(old: Sizes, new: Sizes) -> list[tuple[range, range]] | None:
    """The fewest neighbours of old that hold as much as neighbours of new, one group after the other."""
    if None in old or None in new or not old or not new:
        return None
    groups, i, k = [], 0, 0
    while i < len(old) and k < len(new):
        first, start, left, right = i, k, old[i], new[k]
        i, k = i + 1, k + 1
        while left != right:
            if left < right and i < len(old):
                left, i = left * old[i], i + 1
            elif left > right and k < len(new):
                right, k = right * new[k], k + 1
            else:
                return None
        groups.append((range(first, i), range(start, k)))
    while k < len(new) and new[k] == 1:
        groups[-1] = groups[-1][0], range(groups[-1][1].start, k + 1)
        k += 1
    while i < len(old) and old[i] == 1:
        groups[-1] = range(groups[-1][0].start, i + 1), groups[-1][1]
        i += 1
    return groups if i == len(old) and k == len(new) else None


def _view(start: Wire, sizes: Sizes) -> Wire:
    """The values of a wire in their order under those sizes."""
    while isinstance(start.step, Reshape) and start.sizes != sizes:
        start = start.operands[0]
    if start.sizes == sizes:
        return start
    dims = tuple(-1 if size is None else size for size in sizes) or (1,)  # (batch,) is kept as (batch, 1)
    return Wire(Reshape(dims), (start,), sizes)


def _moves_ones(sizes: Sizes, order: Order) -> bool:
    """Whether that order leaves all dimensions other than 1 in theirs."""
    kept = [place for place in order if sizes[place] != 1]
    return kept == sorted(kept)


def _with_pad(step: Convolution, operand: Wire) -> Convolution | None:
    """The convolution with the zeros around its operand as its own, where there are some."""
    pad = operand.step
    if not isinstance(pad, Pad) or pad.mode != "constant" or pad.fill or pad.axis < 2 or step.window.rule:
        return None
    return with_padding(step, pad.axis - 2, pad.before, pad.behind)


# ---- steps in another order ----


def _through(step: object, order: Order) -> object | None:
    """The step that does the same where dimension order[i] is the source's i; None where there is none."""
    if isinstance(step, (Erf, Pair, Where)) or _is_pointwise(step):
        return step
    if isinstance(step, Scale):
        scale, shift = (_constant(part, order) for part in (step.scale, step.shift))
        return Scale(scale, shift, step.name)
    if isinstance(step, Against):
        return replace(step, constant=_constant(step.constant, order))
    if isinstance(step, AxisNormal):
        return replace(step, axis=order[step.axis - 1] + 1)
    if isinstance(step, Beside) and isinstance(step.layer, (Where, Concat)):
        constants = (None if part is None else _constant(part, order) for part in step.constants)
        return replace(step, layer=_through(step.layer, order), constants=tuple(constants))
    if isinstance(step, Reduce):
        axes = sorted(order[axis - 1] + 1 for axis in step.axes)
        return type(step)(tuple(axes)) if axes[-1] - axes[0] + 1 == len(axes) else None
    if isinstance(step, Expand):
        return Expand(_ordered(step.dims, _inverse(order)))
    if isinstance(step, (Concat, Slice, Pad, Resize, AxisSoftmax)):
        return replace(step, axis=order[step.axis - 1] + 1)
    return None


def _is_pointwise(step: object) -> bool:
    mixes = isinstance(step, BatchNorm) or (isinstance(step, Activation) and step.mixes_features)
    return isinstance(step, Pointwise) and not mixes


def _constant(values: np.ndarray, order: Order) -> np.ndarray:
    """What is broadcast against the source's dimensions, in the order of the operand's."""
    if values.size == 1:
        return values
    full = values.reshape((1,) * (len(order) - values.ndim) + values.shape)
    return full.transpose(_inverse(order))
