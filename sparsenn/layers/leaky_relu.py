"""The leaky rectified linear unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..checks import check_real
from ..errors import ArgumentError
from .layer import Activation


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """x for x > 0, else slope x; slope finite, as float32 too.

    Source: Maas, Hannun and Ng 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models
    """

    slope: float = 0.01

    op, word, attributes = "leaky_relu", "leaky_relu", ("slope",)
    rectifies = reads_input = True

    def __post_init__(self) -> None:
        slope = check_real("slope", self.slope, minimum=-math.inf)
        with np.errstate(over="ignore"):
            if not np.isfinite(np.float32(slope)):
                raise ArgumentError(f"slope must be finite in float32, got {slope:g}")

    @property
    def steepest(self) -> float:
        return max(1.0, abs(self.slope))

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.where(z > 0, z, z * z.dtype.type(self.slope))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da where z > 0, else slope da."""
        return np.where(z > 0, da, da * da.dtype.type(self.slope))

    def to_torch(self, nn):
        return nn.LeakyReLU(self.slope)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("LeakyRelu", x, alpha=self.slope)
