"""The quotient of two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph.node import Node
from .function import finite
from .layer import EPS, TINY
from .pair import Pair, summed_to


@dataclass(frozen=True)
class Div(Pair):
    """x / y, value by value: infinite where y is 0, NaN where both are."""

    op = "div"

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return x / y

    def bound(self, x, y, a, x_bound, y_bound) -> np.ndarray:
        """(x + e) / (y - f) - x / y is (e + f x / y) / (y - f); none where y may be 0."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            moved = np.where(y_bound < abs(y), (x_bound + abs(a) * y_bound) / (abs(y) - y_bound), np.inf)
        return moved + EPS * (abs(a) + moved) + TINY

    def gradient(self, x, y, a, da) -> tuple[np.ndarray, np.ndarray]:
        """da / y and -da a / y, added up where an operand was repeated."""
        slope = da / y
        return summed_to(slope, x.shape), summed_to(-slope * a, y.shape)

    def constant(self, node: Node, *z: np.ndarray) -> np.ndarray:
        return finite(super().constant(node, *z))

    def torch_value(self, torch, x, y):
        return x / y

    def to_onnx(self, graph, x: str, y: str) -> str:
        return graph.node("Div", x, y)
