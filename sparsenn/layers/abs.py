"""The absolute value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .function import Function


@dataclass(frozen=True)
class Abs(Function):
    """|x|."""

    op = "abs"

    def value(self, z: np.ndarray) -> np.ndarray:
        return abs(z)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        return bound

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da with the sign of z; 0 at the kink."""
        return da * np.sign(z)

    def torch_value(self, torch, x):
        return torch.abs(x)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Abs", x)
