"""Normalisation along an axis: as one step, and the formulas that it is written as."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..graph.value import Value
from ..layers import Div, LayerNorm, Mul, ReduceMean, RMSNorm, Sqrt, Sub
from ._data import At, Data
from ._steps import Against, Scale, as_constant
from ._wires import Wire, rewrite


@dataclass(frozen=True)
class AxisNormal:
    """scale x / sqrt(mean of x^2 + epsilon) + shift along axis, centred: of x less its mean.

    scale, shift  (places of the axis,); what is not centred has no shift
    """

    centred: bool
    scale: np.ndarray
    shift: np.ndarray
    axis: int
    epsilon: float
    name: str

    def __call__(self, value: Value) -> Value:
        scale, shift = (as_constant(part, self.name) for part in (self.scale, self.shift))
        options = {"axis": self.axis, "epsilon": self.epsilon}
        return (LayerNorm(scale, shift, **options) if self.centred else RMSNorm(scale, **options))(value)


def normalised_along(data: Data, axes: int, scale, shift, epsilon: float, at: At, *, centred: bool) -> Data:
    """Over the last dimensions, so many of them; scale and shift (sizes of these), or None."""
    if data.axis != 0:
        raise at.fail_batch("have the batch in dimension 0")
    if axes != 1 or data.rank < 2:
        raise at.fail(f"normalise the last dimension of data alone, got {axes} of {data}")
    places = data.size(data.rank - 2, at)
    parts = [np.full(places, rest) if own is None else own for own, rest in ((scale, 1.0), (shift, 0.0))]
    for own in parts:
        if own.shape != (places,):
            raise at.bad(f"have a scale and a shift of shape ({places},), got {own.shape}")
    return data.then(AxisNormal(centred, *parts, data.rank - 1, float(epsilon), at.name))


def normals(wires: list[Wire]) -> list[Wire]:
    """The wires, each formula of a normalisation as one step, and the scales behind one as its own."""
    return rewrite(wires, _rule)


def _rule(wire: Wire) -> Wire:
    if isinstance(wire.step, Div):
        return _of(wire, *wire.operands) or wire
    if isinstance(wire.step, Mul):
        for x, other in (wire.operands, wire.operands[::-1]):
            root = _inverse_of(other)
            if root is not None and (made := _of(wire, x, root)):
                return made
    if isinstance(wire.step, Scale) and isinstance(wire.operands[0].step, AxisNormal):
        return _scaled(wire) or wire
    return wire


def _inverse_of(wire: Wire) -> Wire | None:
    """x of 1 / x."""
    step = wire.step
    turned = isinstance(step, Against) and isinstance(step.layer, Div) and step.first
    return wire.operands[0] if turned and (step.constant == 1).all() else None


def _of(wire: Wire, off: Wire, root: Wire) -> Wire | None:
    """off / sqrt(mean(off^2) + epsilon)."""
    if not isinstance(root.step, Sqrt) or off.sizes != wire.sizes:
        return None
    sum_, epsilon = root.operands[0], 0.0
    if isinstance(sum_.step, Scale):
        if (sum_.step.scale != 1).any() or sum_.step.shift.size != 1:
            return None
        sum_, epsilon = sum_.operands[0], float(sum_.step.shift.item())
    if not isinstance(sum_.step, ReduceMean) or len(sum_.step.axes) != 1 or not 0 <= epsilon < np.inf:
        return None
    square, (axis,) = sum_.operands[0], sum_.step.axes
    if not isinstance(square.step, Mul) or not all(_alike(own, off) for own in square.operands):
        return None
    places = off.sizes[axis - 1]
    if places is None:
        return None
    start = _start_of(off, axis)
    step = AxisNormal(
        start is not None, np.ones(places), np.zeros(places), axis, epsilon, "a normalisation along an axis"
    )
    return Wire(step, (off if start is None else start,), wire.sizes)


def _start_of(off: Wire, axis: int) -> Wire | None:
    """x of x - mean(x)."""
    if not isinstance(off.step, Sub):
        return None
    x, mean = off.operands
    centred = isinstance(mean.step, ReduceMean) and mean.step.axes == (axis,) and mean.operands[0] is x
    return x if centred else None


def _alike(one: Wire, other: Wire) -> bool:
    """Whether both are the same, or made of the same by layers that are."""
    if one is other:
        return True
    layers = (Sub, ReduceMean)
    return (
        isinstance(one.step, layers)
        and one.step == other.step
        and all(_alike(a, b) for a, b in zip(one.operands, other.operands, strict=True))
    )


def _scaled(wire: Wire) -> Wire | None:
    """A scale behind a normalisation, as that one's own where it is one of the places of its axis."""
    scale, norm = wire.step, wire.operands[0].step
    factor, shift = (_along(part, norm, len(wire.sizes)) for part in (scale.scale, scale.shift))
    if factor is None or shift is None or (not norm.centred and shift.any()):
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        made = replace(norm, scale=norm.scale * factor, shift=norm.shift * factor + shift)
    return Wire(made, wire.operands[0].operands, wire.sizes)


def _along(part: np.ndarray, norm: AxisNormal, rank: int) -> np.ndarray | None:
    """What is broadcast against the sizes of a sample, (places,); None where it varies along other axes."""
    full = np.asarray(part, np.float64).reshape((1,) * (rank - part.ndim) + part.shape)
    others = (size for place, size in enumerate(full.shape) if place != norm.axis - 1)
    return np.broadcast_to(full.reshape(-1), norm.scale.shape) if all(size == 1 for size in others) else None
