"""What layers share in computing the dims of their values: axes and broadcasting."""

from __future__ import annotations

import math

from ..checks import check_integer
from ..errors import ArgumentError
from .value import Dims


def check_axis(owner: str, axis: int, dims: Dims) -> int:
    """axis counted from the batch as 0, in [1, rank), from one that may count from the end."""
    plain = axis + len(dims) if axis < 0 else axis
    if not 1 <= plain < len(dims):
        raise ArgumentError(
            f"axis of {owner} must be behind the batch, 1 to {len(dims) - 1} of {dims}, got {axis}"
        )
    return plain


def check_whole(name: str, value) -> int:
    """value as an int, of any sign."""
    return check_integer(name, value, minimum=-(2**63))


def features_of(dims: Dims) -> int | None:
    """Values of one sample; None where a dim is known only when it runs."""
    return None if None in dims[1:] else math.prod(dims[1:])


def broadcast(owner: str, a: Dims, b: Dims) -> Dims:
    """The dims of a result value by value, as numpy's, the batch apart. Those of constants begin with 1."""
    rank = max(len(a), len(b))
    for own in (a, b):
        if len(own) != rank and own[0] is None:
            raise ArgumentError(f"operands of {owner} must have as many dims, got {a} and {b}")
    result: list[int | None] = [None]
    for one, other in zip(_padded(a, rank), _padded(b, rank), strict=True):
        if one != other and 1 not in (one, other):
            raise ArgumentError(f"operands of {owner} must fit as numpy broadcasts, got {a} and {b}")
        result.append(other if one == 1 else one)
    return tuple(result)


def _padded(dims: Dims, rank: int) -> Dims:
    """The dims behind the batch, ones in front."""
    return (1,) * (rank - len(dims)) + dims[1:]
