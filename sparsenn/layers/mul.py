"""The product of two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph.coupling import shape_of, slim
from ..graph.node import Node
from .layer import EPS, TINY
from .pair import Pair, summed_to


@dataclass(frozen=True)
class Mul(Pair):
    """x y, value by value: a gate, or a constant that scales."""

    op = "mul"

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x * y

    def bound(self, x, y, a, x_bound, y_bound) -> np.ndarray:
        """(x + e)(y + f) is x y + e y + x f + e f, and eps of the product that is rounded."""
        moved = abs(x) * y_bound + abs(y) * x_bound + x_bound * y_bound
        return moved + EPS * (abs(a) + moved) + TINY

    def gradient(self, x, y, a, da) -> tuple[np.ndarray, np.ndarray]:
        """da times the other, added up where it was repeated."""
        return summed_to(da * y, x.shape), summed_to(da * x, y.shape)

    def constant(self, node: Node, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """0 times what nobody knows is 0."""
        x, y = slim(x), slim(y)
        return np.broadcast_to(np.where((x == 0) | (y == 0), 0.0, x * y), shape_of(node.output.dims))

    def torch_value(self, torch, x, y):
        return x * y

    def to_onnx(self, graph, x: str, y: str) -> str:
        return graph.node("Mul", x, y)
