"""The smaller of two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .extreme import Extreme


@dataclass(frozen=True)
class Min(Extreme):
    """The smaller of x and y, value by value; NaN where one of them is."""

    op = "min"

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.minimum(x, y)

    def torch_value(self, torch, x, y):
        return torch.minimum(x, y)

    def to_onnx(self, graph, x: str, y: str) -> str:
        return graph.node("Min", x, y)
