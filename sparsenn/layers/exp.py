"""The exponential function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .function import Function
from .layer import EPS, TINY


@dataclass(frozen=True)
class Exp(Function):
    """e to the x: infinite in float32 above 88.7."""

    op = "exp"

    def value(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.exp(z)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """exp(x + e) is exp(x) exp(e)."""
        moved = a * np.expm1(np.minimum(bound, 700.0))
        return moved + 8 * EPS * (a + moved) + TINY

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da * a

    def torch_value(self, torch, x):
        return torch.exp(x)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Exp", x)
