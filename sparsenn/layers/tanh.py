"""The hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layer import Activation


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent."""

    op = word = "tanh"

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.tanh(z)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da (1 - a^2)."""
        return da * (1 - a * a)

    def to_torch(self, nn):
        return nn.Tanh()

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Tanh", x)
