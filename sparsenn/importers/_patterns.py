"""Formulas of several steps that are one layer: gates (_gates.py), PReLU, scaled copies, moves of blocks."""

from __future__ import annotations

import numpy as np

from ..layers import (
    Add,
    ClippedReLU,
    Concat,
    DepthToSpace,
    Exp,
    LeakyReLU,
    Log,
    Mul,
    PReLU,
    ReLU,
    Reshape,
    Softplus,
    SpaceToDepth,
    Sub,
    Transpose,
)
from ._gates import gated, hard_sigmoid, line, unscaled
from ._steps import Affine, Against, Scale
from ._wires import Wire, rewrite

LARGEST = float(np.finfo(np.float32).max)
MOST_COPIED = 4096  # features that copies of a few make: they become a dense weight


def recognised(wires: list[Wire]) -> list[Wire]:
    """The wires, each formula replaced by the layer that computes it."""
    return rewrite(wires, _rule)


def _rule(wire: Wire) -> Wire:
    if isinstance(wire.step, Mul):
        left, right = wire.operands
        return gated(wire, left, right) or gated(wire, right, left) or wire
    if isinstance(wire.step, (Add, Sub)):
        return _two_slopes(wire, *wire.operands) or wire
    if isinstance(wire.step, Scale):
        return hard_sigmoid(wire) or unscaled(wire) or wire
    if isinstance(wire.step, Log):
        return _softplus(wire) or wire
    if isinstance(wire.step, Concat):
        return _copies(wire) or wire
    if isinstance(wire.step, Reshape):
        return _blocks(wire) or wire
    return wire


def _blocks(wire: Wire) -> Wire | None:
    """A reshape, a transpose and a reshape that move blocks of positions to channels, or back."""
    turned = wire.operands[0]
    if not isinstance(turned.step, Transpose) or not isinstance(turned.operands[0].step, Reshape):
        return None
    split = turned.operands[0]
    start, axes, parts = split.operands[0], turned.step.axes, split.sizes
    if len(parts) != 5 or None in parts or len(start.sizes) != 3 or axes not in _BLOCKS:
        return None
    kind, depth_first = _BLOCKS[axes]
    if kind is SpaceToDepth:
        channels, height, rows, width, columns = parts
        fits = start.sizes == (channels, height * rows, width * columns)
    else:
        rows, columns, channels, height, width = parts if depth_first else (*parts[1:3], parts[0], *parts[3:])
        fits = start.sizes == (channels * rows * columns, height, width)
    layer = kind((rows, columns), depth_first)
    fits = fits and layer.infer((None, *start.sizes))[1:] == wire.sizes
    return Wire(layer, (start,), wire.sizes) if fits else None


_BLOCKS = {  # the order of the axes: what moves
    (1, 4, 2, 5, 3): (DepthToSpace, False),
    (3, 4, 1, 5, 2): (DepthToSpace, True),
    (1, 3, 5, 2, 4): (SpaceToDepth, False),
    (3, 5, 1, 2, 4): (SpaceToDepth, True),
}


def _softplus(wire: Wire) -> Wire | None:
    """log(exp(x) + 1)."""
    power, factor, shift = line(wire.operands[0])
    if not isinstance(power.step, Exp) or (factor, shift) != (1, 1):
        return None
    return Wire(Softplus(), power.operands, wire.sizes)


def _two_slopes(wire: Wire, left: Wire, right: Wire) -> Wire | None:
    """relu(x) + c min(x, 0), or relu(x) + c relu(-x), which is another way to write it."""
    if isinstance(wire.step, Add) and not isinstance(left.step, ReLU):
        left, right = right, left
    slopes = np.ones(1)
    if isinstance(right.step, Scale) and not np.any(right.step.shift):
        slopes, right = right.step.scale, right.operands[0]
    if not isinstance(left.step, ReLU) or left.sizes != right.sizes:
        return None
    start = left.operands[0]
    if isinstance(right.step, ClippedReLU) and right.step.high == 0 and right.step.low <= -LARGEST:
        below = right.operands[0]
    elif isinstance(right.step, ReLU):
        below, turned, offset = line(right.operands[0])
        slopes = -slopes
        if (turned, offset) != (-1, 0):
            return None
    else:
        return None
    if below is not start:
        return None
    slopes = -slopes if isinstance(wire.step, Sub) else slopes
    if slopes.size == 1:
        return Wire(LeakyReLU(float(slopes.item())), (start,), wire.sizes)
    return Wire(Against(PReLU(), slopes, False, "PReLU"), (start,), wire.sizes)


def _copies(wire: Wire) -> Wire | None:
    """Scaled copies of a few features side by side, such as [1 - p, p] for two classes: a linear layer."""
    starts = [part.operands[0] if isinstance(part.step, Scale) else part for part in wire.operands]
    start = starts[0]
    if any(other is not start for other in starts) or len(start.sizes) != 1 or wire.sizes[0] is None:
        return None
    width = start.sizes[0]
    if wire.sizes[0] > MOST_COPIED or wire.sizes[0] != width * len(starts):
        return None
    one, zero = np.ones(1), np.zeros(1)
    scales = [part.step if isinstance(part.step, Scale) else Scale(one, zero, "") for part in wire.operands]
    weight = np.vstack([np.diag(np.broadcast_to(_real(scale.scale), (width,))) for scale in scales])
    bias = np.concatenate([np.broadcast_to(_real(scale.shift), (width,)) for scale in scales])
    return Wire(Affine(weight, bias, "the copies of one tensor"), (start,), wire.sizes)


def _real(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64)
