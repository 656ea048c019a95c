"""The sigmoid linear unit in straight and quadratic pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layer import Activation


@dataclass(frozen=True)
class HardSwish(Activation):
    """x min(max(x + 3, 0), 6) / 6.

    Source: Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244
    """

    op = word = "hard_swish"
    steepest = 1.5
    rectifies = reads_input = True

    def value(self, z: np.ndarray) -> np.ndarray:
        """0 at -inf, the limit."""
        return np.maximum(z, -3) * (np.clip(z + 3, 0, 6) / 6)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da (2 z + 3) / 6 between -3 and 3, da from 3 on (0 and da at the kinks)."""
        inner = (2 * np.clip(z, -3, 3) + 3) / 6
        return da * np.where(z > -3, np.where(z < 3, inner, 1), 0).astype(da.dtype)

    def to_torch(self, nn):
        return nn.Hardswish()

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Mul", x, graph.node("HardSigmoid", x, alpha=1 / 6, beta=0.5))
