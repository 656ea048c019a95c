"""The larger of two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .pair import Pair, summed_to


@dataclass(frozen=True)
class Max(Pair):
    """The larger of x and y, value by value; NaN where one of them is."""

    op = "max"

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.maximum(x, y)

    def bound(self, x, y, a, x_bound, y_bound) -> np.ndarray:
        return np.maximum(x_bound, y_bound)

    def gradient(self, x, y, a, da) -> tuple[np.ndarray, np.ndarray]:
        """da for the larger, half of it for each where they are equal."""
        share = np.where(x == y, 0.5, x > y).astype(da.dtype)
        return summed_to(da * share, x.shape), summed_to(da * (1 - share), y.shape)

    def torch_value(self, torch, x, y):
        return torch.maximum(x, y)

    def to_onnx(self, graph, x: str, y: str) -> str:
        return graph.node("Max", x, y)
