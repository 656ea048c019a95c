"""The smaller of two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .pair import Pair, summed_to


@dataclass(frozen=True)
class Min(Pair):
    """The smaller of x and y, value by value; NaN where one of them is."""

    op = "min"

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.minimum(x, y)

    def bound(self, x, y, a, x_bound, y_bound) -> np.ndarray:
        return np.maximum(x_bound, y_bound)

    def gradient(self, x, y, a, da) -> tuple[np.ndarray, np.ndarray]:
        """da for the smaller, half of it for each where they are equal."""
        share = np.where(x == y, 0.5, x < y).astype(da.dtype)
        return summed_to(da * share, x.shape), summed_to(da * (1 - share), y.shape)

    def torch_value(self, torch, x, y):
        return torch.minimum(x, y)

    def to_onnx(self, graph, x: str, y: str) -> str:
        return graph.node("Min", x, y)
