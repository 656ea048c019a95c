"""The first places of a constant."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ArgumentError
from ..graph.dims import check_axis, check_whole
from ..graph.value import Dims
from .layer import Layer


@dataclass(frozen=True)
class Prefix(Layer):
    """The first places of a constant along axis, as many as a value has along the axis of.

    Called as Prefix()(table, x): so a table of positions (512, features) is cut to the tokens of x, whose
    number may be known only when it runs. Axes count the batch, which a constant has not, as 0.
    """

    axis: int = 1
    of: int = 1

    op, integers = "prefix", ("axis", "of")
    operands, takes_constants, passes_slopes = (2, 2), True, False

    def __post_init__(self) -> None:
        for name in self.integers:
            check_whole(name, getattr(self, name))

    def resolve(self, table: Dims, x: Dims) -> Prefix:
        return replace(self, axis=check_axis("Prefix", self.axis, table), of=check_axis("Prefix", self.of, x))

    def infer(self, table: Dims, x: Dims) -> Dims:
        if table[0] is None or x[0] is not None:
            raise ArgumentError(f"operands of Prefix must be a constant and a value, got {table} and {x}")
        places = x[self.of]
        if places is not None and places > table[self.axis]:
            raise ArgumentError(
                f"the constant of Prefix must have {places} places along axis {self.axis}, got {table}"
            )
        return (None, *table[1 : self.axis], places, *table[self.axis + 1 :])

    def _cut(self, x: np.ndarray) -> tuple[slice, ...]:
        return (*[slice(None)] * (self.axis - 1), slice(x.shape[self.of - 1]))

    def value(self, table: np.ndarray, x: np.ndarray) -> np.ndarray:
        part = table[self._cut(x)]
        return np.broadcast_to(part, (*part.shape[:-1], x.shape[-1]))

    def bound(self, table, x, a, table_bound, x_bound) -> np.ndarray:
        return self.value(table_bound, x)

    def gradient(self, table, x, a, da) -> tuple[np.ndarray, np.ndarray]:
        """da in its places; of a value the number of places counts alone."""
        slope = np.zeros((*table.shape[:-1], da.shape[-1]), da.dtype)
        slope[self._cut(x)] = da
        return slope.sum(axis=-1, keepdims=True) if table.shape[-1] == 1 else slope, np.zeros_like(x)

    def depends(self, table: np.ndarray, x: np.ndarray) -> np.ndarray:
        return self.value(table, x)

    def torch_value(self, torch, table, x):
        return table.narrow(self.axis - 1, 0, x.shape[self.of]).unsqueeze(0)

    def to_onnx(self, graph, table: str, x: str) -> str:
        """In front of a batch of 1, that is repeated to that of x."""
        begin, size = graph.integers("start", [0]), graph.size_at(x, self.of)
        part = graph.node("Slice", table, begin, size, graph.integers("axis", [self.axis - 1]))
        return graph.repeated(part, 0)
