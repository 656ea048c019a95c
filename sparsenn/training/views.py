"""Reshapes and transposes that move nothing, because values may lie in any order of their dims."""

from __future__ import annotations

import math

from ..layers import Reshape, Transpose
from .places import Place


def view_order(layer: Reshape | Transpose, source: Place, dims: tuple[int, ...]) -> tuple[int, ...] | None:
    """The order in which the value of the layer lies where the numbers stay where they are; None: they move.

    dims  of a sample of the result
    """
    if isinstance(layer, Transpose):
        came_from = [axis - 1 for axis in layer.axes]
        return tuple(came_from.index(axis) for axis in source.order)
    parts = _common_parts(source.dims, dims)
    if parts is None:
        return None
    lying = [part for axis in source.order for part in parts if part[1] == axis]
    order: list[int] = []
    for axis in range(len(dims)):
        own = [part for part in parts if part[2] == axis]
        first = lying.index(own[0]) if own else 0
        if lying[first : first + len(own)] != own:
            return None
    for part in lying:
        if part[2] not in order:
            order.append(part[2])
    return (*order, *(axis for axis in range(len(dims)) if axis not in order))


def _common_parts(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[int, int, int]] | None:
    """The factors of which the dims before and after are both made: (place, axis before, axis after).

    None where one of them would have to be cut in two that do not fit, as 6 = 2 * 3 is no 3 * 2.
    """
    left, right = _steps(before), _steps(after)
    cuts = sorted({step for step, _ in left} | {step for step, _ in right} | {1})
    if any(b % a for a, b in zip(cuts, cuts[1:], strict=False)):
        return None
    parts = []
    for low, high in reversed(list(zip(cuts, cuts[1:], strict=False))):
        parts.append((low, _axis_at(left, high), _axis_at(right, high)))
    return parts


def _steps(dims: tuple[int, ...]) -> list[tuple[int, int]]:
    """(numbers from the end that an axis spans, axis), from the last axis on, those of 1 left out."""
    return [(math.prod(dims[axis:]), axis) for axis in reversed(range(len(dims))) if dims[axis] > 1]


def _axis_at(steps: list[tuple[int, int]], high: int) -> int:
    return next(axis for step, axis in steps if step >= high)
