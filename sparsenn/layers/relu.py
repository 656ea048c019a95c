"""The rectified linear unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layer import Activation


@dataclass(frozen=True)
class ReLU(Activation):
    """max(x, 0)."""

    op = word = "relu"
    rectifies = True

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.maximum(z, 0)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da where z > 0, else 0 (0 at the kink)."""
        return da * (a > 0)

    def to_torch(self, nn):
        return nn.ReLU()

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Relu", x)
