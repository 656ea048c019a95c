"""Formulas that are a gate, x times a function of x, or the gate itself."""

from __future__ import annotations

import math

import numpy as np

from ..layers import (
    GELU,
    Add,
    ClippedReLU,
    GELUTanh,
    HardSigmoid,
    HardSwish,
    Mish,
    Mul,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ..layers.gelu_tanh import CUBE, GATE
from ._steps import Scale
from ._wires import Erf, Wire


def gated(wire: Wire, x: Wire, gate: Wire) -> Wire | None:
    """x sigmoid(x) and its like, or c x (erf(x / sqrt 2) + 1), which is a GELU with a factor of 2 c;
    by tanh its approximation.
    """
    if isinstance(gate.step, Sigmoid) and gate.operands[0] is x:
        return Wire(SiLU(), (x,), wire.sizes)
    if isinstance(gate.step, Sigmoid):
        start, slope, shift = line(gate.operands[0])
        if start is x and slope > 0 and not shift:  # x sigmoid(c x) is SiLU(c x) / c
            return _times(1 / slope, Wire(SiLU(), (gate.operands[0],), wire.sizes), "SiLU")
    if isinstance(gate.step, Tanh) and isinstance(gate.operands[0].step, Softplus):
        return Wire(Mish(), (x,), wire.sizes) if gate.operands[0].operands[0] is x else None
    if isinstance(gate.step, HardSigmoid) and gate.operands[0] is x:
        hard = math.isclose(gate.step.alpha, 1 / 6, rel_tol=1e-6)
        hard = hard and math.isclose(gate.step.beta, 0.5, rel_tol=1e-6)
        return Wire(HardSwish(), (x,), wire.sizes) if hard else None
    if isinstance(gate.step, ClippedReLU):
        start, slope, shift = line(gate.operands[0])
        if start is x and (slope, shift, gate.step.low, gate.step.high) == (1, 3, 0, 6):
            return _times(6.0, Wire(HardSwish(), (x,), wire.sizes), "HardSwish")
    terms, argument = _plus_one(gate)
    if argument is None:
        return None
    multiples = _multiples(x)
    if isinstance(argument.step, Tanh):
        for start, factor in multiples.items():
            if _is_gate_of_tanh(argument.operands[0], start):
                return _times(2 * factor * terms, Wire(GELUTanh(), (start,), wire.sizes), "GELU")
        return None
    argument = argument.operands[0]
    for start, factor in _multiples(argument).items():
        if start not in multiples or not math.isclose(factor, math.sqrt(0.5), rel_tol=1e-5):
            continue
        return _times(2 * multiples[start] * terms, Wire(GELU(), (start,), wire.sizes), "GELU")
    return None


def _times(factor: float, wire: Wire, name: str) -> Wire:
    if math.isclose(factor, 1, rel_tol=1e-6):
        return wire
    return Wire(Scale(np.array([factor]), np.zeros(1), name), (wire,), wire.sizes)


def line(wire: Wire) -> tuple[Wire, float, float]:
    """x, a and b of a wire that is a x + b with numbers a and b."""
    step = wire.step
    if isinstance(step, Scale) and step.scale.size == step.shift.size == 1:
        return wire.operands[0], float(step.scale.item()), float(step.shift.item())
    return wire, 1.0, 0.0


def hard_sigmoid(wire: Wire) -> Wire | None:
    """c min(max(a x + b, 0), 1 / c)."""
    clip, factor, shift = line(wire)
    if not isinstance(clip.step, ClippedReLU) or shift or clip.step.low:
        return None
    start, slope, offset = line(clip.operands[0])
    if slope <= 0 or not math.isclose(factor * clip.step.high, 1, rel_tol=1e-6):
        return None
    return Wire(HardSigmoid(slope * factor, offset * factor), (start,), wire.sizes)


def unscaled(wire: Wire) -> Wire | None:
    """A formula that was recognised but for a factor, times that factor."""
    inner, factor, shift = line(wire)
    start, other, offset = line(inner)
    if shift or offset or inner is wire or not isinstance(start.step, (GELU, GELUTanh, HardSwish)):
        return None
    return _times(factor * other, start, wire.step.name)


def _multiples(wire: Wire) -> dict[Wire, float]:
    """Wires that this one is a multiple of, and the factors: itself, and those that it scales."""
    factor = 1.0
    found = {wire: factor}
    while isinstance(wire.step, Scale) and wire.step.scale.size == 1 and not np.any(wire.step.shift):
        factor, wire = factor * float(wire.step.scale.item()), wire.operands[0]
        found[wire] = factor
    return found


def _plus_one(wire: Wire) -> tuple[float, Wire | None]:
    """t and y of t (y + 1), y made by erf or tanh; 0 and None for anything else."""
    scale, shift = 1.0, 0.0
    while isinstance(wire.step, Scale) and wire.step.scale.size == wire.step.shift.size == 1:
        shift += scale * float(wire.step.shift.item())
        scale *= float(wire.step.scale.item())
        wire = wire.operands[0]
    if not isinstance(wire.step, (Erf, Tanh)) or not math.isclose(scale, shift, rel_tol=1e-6):
        return 0.0, None
    return scale, wire


def _is_gate_of_tanh(wire: Wire, start: Wire) -> bool:
    """Whether a wire is sqrt(2 / pi) (x + 0.044715 x^3) of a start x."""
    found = _powers(wire, start) or {}
    wanted = {1: GATE / 2, 3: GATE / 2 * CUBE}
    return set(found) == set(wanted) and all(
        math.isclose(found[power], factor, rel_tol=1e-5) for power, factor in wanted.items()
    )


def _powers(wire: Wire, start: Wire) -> dict[int, float] | None:
    """Factors of the powers of start that a wire is a sum of; None for anything else, or beyond the third."""
    if wire is start:
        return {1: 1.0}
    if isinstance(wire.step, Scale) and wire.step.scale.size == wire.step.shift.size == 1:
        inner = _powers(wire.operands[0], start)
        if inner is None:
            return None
        made = {power: factor * float(wire.step.scale.item()) for power, factor in inner.items()}
        return _summed(made, {0: float(wire.step.shift.item())})
    if not isinstance(wire.step, (Add, Mul)):
        return None
    left, right = (_powers(operand, start) for operand in wire.operands)
    if left is None or right is None:
        return None
    if isinstance(wire.step, Add):
        return _summed(left, right)
    parts = [{i + k: a * b} for i, a in left.items() for k, b in right.items()]
    made = _summed(*parts)
    return made if max(made, default=0) <= 3 else None


def _summed(*parts: dict[int, float]) -> dict[int, float]:
    """Powers added up, without those of factor 0."""
    made: dict[int, float] = {}
    for part in parts:
        for power, factor in part.items():
            made[power] = made.get(power, 0.0) + factor
    return {power: factor for power, factor in made.items() if factor}
