"""The natural logarithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .function import Function
from .layer import EPS, TINY


@dataclass(frozen=True)
class Log(Function):
    """The natural logarithm: minus infinity of 0, NaN below."""

    op = "log"

    def value(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(z)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """log(x - e) is log(x) + log(1 - e / x); none where 0 is within reach."""
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = np.where(bound < z, -np.log1p(-bound / z), np.inf)
        return moved + 8 * EPS * (abs(a) + moved) + TINY

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da / z

    def torch_value(self, torch, x):
        return torch.log(x)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Log", x)
