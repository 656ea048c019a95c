"""A value cut into parts."""

from __future__ import annotations

from collections.abc import Iterable

from ..checks import check_integer
from ..errors import ArgumentError
from ..graph.dims import check_axis, check_whole
from ..graph.value import Value
from .slice import Slice


class Split:
    """Cuts a value into parts of the given sizes along axis: a Slice each.

    >>> import sparsenn as snn
    >>> snn.Split((10, 20), axis=1)(snn.Input((30,)))
    (Value((None, 10), of Slice), Value((None, 20), of Slice))
    """

    def __init__(self, sizes: Iterable[int], *, axis: int = 1):
        if isinstance(sizes, str) or not isinstance(sizes, Iterable):
            raise TypeError(f"sizes must be a sequence of integers, got {type(sizes).__name__}")
        self.sizes = tuple(check_integer(f"sizes[{i}]", size, minimum=1) for i, size in enumerate(sizes))
        self.axis = check_whole("axis", axis)

    def __call__(self, x: Value) -> tuple[Value, ...]:
        if not isinstance(x, Value):
            raise TypeError(f"Split must be called on a Value, got {type(x).__name__}")
        axis = check_axis("Split", self.axis, x.dims)
        if sum(self.sizes) != x.dims[axis]:
            raise ArgumentError(
                f"sizes of Split must add up to {x.dims[axis]}, axis {axis} of {x.dims}, got {self.sizes}"
            )
        ends = [sum(self.sizes[: i + 1]) for i in range(len(self.sizes))]
        return tuple(Slice(axis, end - size, end)(x) for size, end in zip(self.sizes, ends, strict=True))
