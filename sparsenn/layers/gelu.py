"""The Gaussian error linear unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy

from .layer import Activation


@dataclass(frozen=True)
class GELU(Activation):
    """x/2 (1 + erf(x / sqrt 2)), the exact form and not the tanh approximation.

    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415
    """

    op = word = "gelu"
    steepest = 1.13
    onnx_opset = 20
    rectifies = reads_input = True

    def value(self, z: np.ndarray) -> np.ndarray:
        """z Phi(z), Phi the normal distribution function; 0 at -inf, the limit.

        Phi is computed as erfc(-z / sqrt 2) / 2, which keeps its relative accuracy for very negative z; below
        -40 it is 0.
        """
        z = np.maximum(z, -40)
        return z * (0.5 * scipy.special.erfc(z * -math.sqrt(0.5)))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da (Phi(z) + z phi(z)), phi the normal density."""
        density = np.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))
        return da * (0.5 * scipy.special.erfc(z * -math.sqrt(0.5)) + z * density)

    def to_torch(self, nn):
        return nn.GELU()

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Gelu", x)
