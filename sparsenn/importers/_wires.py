"""What an importer makes of a network: wires, each of them a step that reads other wires.

step  None for an input, Affine or Scale (_steps.py), Erf, or a layer of the package
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

Sizes = tuple[int | None, ...]  # of one sample, the batch left out; None: not known


class Erf:
    """A step of its own until the formula of GELU is recognised; no Model has it."""


class IsNaN:
    """A step of its own until a softmax without NaN is recognised; no Model has it."""


@dataclass(frozen=True, eq=False)
class Wire:
    """A value that depends on the network's inputs: what step makes of the operands."""

    step: object
    operands: tuple[Wire, ...]
    sizes: Sizes


def in_order(wires: Iterable[Wire]) -> list[Wire]:
    """The wires and all that they are made of, each after those that it reads."""
    done: dict[Wire, None] = {}
    for wire in wires:
        left = [wire]
        while left:
            top = left[-1]
            missing = [operand for operand in top.operands if operand not in done]
            if top in done or not missing:
                done.setdefault(left.pop())
            else:
                left += missing
    return list(done)


def rewrite(wires: list[Wire], rule: Callable[[Wire], Wire]) -> list[Wire]:
    """The wires with rule applied to each that they are made of, operands first."""
    new: dict[Wire, Wire] = {}
    for wire in in_order(wires):
        operands = tuple(new[operand] for operand in wire.operands)
        same = all(a is b for a, b in zip(operands, wire.operands, strict=True))
        new[wire] = rule(wire if same else Wire(wire.step, operands, wire.sizes))
    return [new[wire] for wire in wires]


def same(wires: list[Wire], others: list[Wire]) -> bool:
    """Whether both compute the same."""
    left, right = in_order(wires), in_order(others)
    if len(left) != len(right):
        return False
    places = ({wire: index for index, wire in enumerate(order)} for order in (left, right))
    here, there = places
    if [here[wire] for wire in wires] != [there[wire] for wire in others]:
        return False
    return all(
        a.sizes == b.sizes
        and [here[operand] for operand in a.operands] == [there[operand] for operand in b.operands]
        and _same_step(a.step, b.step)
        for a, b in zip(left, right, strict=True)
    )


def _same_step(step, other) -> bool:
    if type(step) is not type(other):
        return False
    if not is_dataclass(step):
        return True
    return all(_same_value(getattr(step, f.name), getattr(other, f.name)) for f in fields(step))


def _same_value(a, b) -> bool:
    if a is b:
        return True
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same_value, a, b))
    if not hasattr(a, "shape") or not hasattr(b, "shape"):
        return a == b
    if hasattr(a, "indptr") and hasattr(b, "indptr"):
        return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("data", "indices", "indptr"))
    return np.array_equal(a, b)
