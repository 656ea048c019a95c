"""The rectified linear unit with an upper bound, ReLU6 for one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..checks import check_real
from ..errors import ArgumentError
from .layer import Activation


@dataclass(frozen=True)
class ClippedReLU(Activation):
    """min(max(x, low), high); low < high, both finite."""

    low: float = 0.0
    high: float = 6.0

    op, word, attributes = "clip", "clipped_relu", ("low", "high")
    rectifies = True

    def __post_init__(self) -> None:
        low = check_real("low", self.low, minimum=-math.inf)
        high = check_real("high", self.high, minimum=-math.inf)
        if not (math.isfinite(low) and low < high):
            raise ArgumentError(f"low must be finite and less than high, got low={low:g}, high={high:g}")

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.clip(z, self.low, self.high)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da strictly between low and high, else 0 (0 at both kinks)."""
        return da * ((z > self.low) & (z < self.high))

    def to_torch(self, nn):
        return nn.Hardtanh(self.low, self.high)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Clip", x, graph.constant("low", self.low), graph.constant("high", self.high))
