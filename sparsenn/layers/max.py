"""The larger of two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .extreme import Extreme


@dataclass(frozen=True)
class Max(Extreme):
    """The larger of x and y, value by value; NaN where one of them is."""

    op = "max"

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.maximum(x, y)

    def torch_value(self, torch, x, y):
        return torch.maximum(x, y)

    def to_onnx(self, graph, x: str, y: str) -> str:
        return graph.node("Max", x, y)
