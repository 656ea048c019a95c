"""Formulas of several steps that are one layer: SiLU, GELU, scaled copies of one tensor."""

from __future__ import annotations

import math

import numpy as np

from ..layers import GELU, Concat, Mul, Sigmoid, SiLU
from ._steps import Affine, Scale
from ._wires import Erf, Wire, rewrite

MOST_COPIED = 4096  # features that copies of a few make: they become a dense weight


def recognised(wires: list[Wire]) -> list[Wire]:
    """The wires, each formula replaced by the layer that computes it."""
    return rewrite(wires, _rule)


def _rule(wire: Wire) -> Wire:
    if isinstance(wire.step, Mul):
        left, right = wire.operands
        return _gate(wire, left, right) or _gate(wire, right, left) or wire
    if isinstance(wire.step, Concat):
        return _copies(wire) or wire
    return wire


def _gate(wire: Wire, x: Wire, gate: Wire) -> Wire | None:
    """x sigmoid(x), or c x (erf(x / sqrt 2) + 1), which is a GELU with a factor of 2 c."""
    if isinstance(gate.step, Sigmoid) and gate.operands[0] is x:
        return Wire(SiLU(), (x,), wire.sizes)
    terms, argument = _erf_terms(gate)
    if argument is None:
        return None
    multiples = _multiples(x)
    for start, factor in _multiples(argument).items():
        if start not in multiples or not math.isclose(factor, math.sqrt(0.5), rel_tol=1e-5):
            continue
        made = Wire(GELU(), (start,), wire.sizes)
        scale = 2 * multiples[start] * terms
        if math.isclose(scale, 1, rel_tol=1e-6):
            return made
        return Wire(Scale(np.array([scale]), np.zeros(1), "GELU"), (made,), wire.sizes)
    return None


def _multiples(wire: Wire) -> dict[Wire, float]:
    """Wires that this one is a multiple of, and the factors: itself, and those that it scales."""
    factor = 1.0
    found = {wire: factor}
    while isinstance(wire.step, Scale) and wire.step.scale.size == 1 and not np.any(wire.step.shift):
        factor, wire = factor * float(wire.step.scale.item()), wire.operands[0]
        found[wire] = factor
    return found


def _erf_terms(wire: Wire) -> tuple[float, Wire | None]:
    """t and y of t (erf(y) + 1); 0 and None for anything else."""
    scale, shift = 1.0, 0.0
    while isinstance(wire.step, Scale) and wire.step.scale.size == wire.step.shift.size == 1:
        shift += scale * float(wire.step.shift.item())
        scale *= float(wire.step.scale.item())
        wire = wire.operands[0]
    if not isinstance(wire.step, Erf) or not math.isclose(scale, shift, rel_tol=1e-6):
        return 0.0, None
    return scale, wire.operands[0]


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
