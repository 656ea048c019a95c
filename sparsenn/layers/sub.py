"""The difference of two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layer import EPS, TINY
from .pair import Pair, summed_to


@dataclass(frozen=True)
class Sub(Pair):
    """x - y, value by value."""

    op = "sub"

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x - y

    def bound(self, x, y, a, x_bound, y_bound) -> np.ndarray:
        """The sum of the operands' bounds, and eps of the difference that is rounded."""
        moved = x_bound + y_bound
        return moved + EPS * (abs(a) + moved) + TINY

    def gradient(self, x, y, a, da) -> tuple[np.ndarray, np.ndarray]:
        """da and -da, added up where an operand was repeated."""
        return summed_to(da, x.shape), summed_to(-da, y.shape)

    def torch_value(self, torch, x, y):
        return x - y

    def to_onnx(self, graph, x: str, y: str) -> str:
        return graph.node("Sub", x, y)
