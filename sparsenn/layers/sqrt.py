"""The square root."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .function import Function
from .layer import EPS, TINY


@dataclass(frozen=True)
class Sqrt(Function):
    """The square root: NaN below 0."""

    op = "sqrt"

    def value(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.sqrt(z)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """sqrt(x) - sqrt(x - e); none where what is below 0 is within reach."""
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = np.where(bound > 0, bound / (a + np.sqrt(z - bound)), 0)
            moved = np.where(bound <= z, moved, np.inf)
        return moved + EPS * (a + moved) + TINY

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da * 0.5 / a

    def torch_value(self, torch, x):
        return torch.sqrt(x)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Sqrt", x)
