"""The approximation of the Gaussian error linear unit by tanh."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy

from .layer import EPS, TINY, Activation

GATE, CUBE = 2 * math.sqrt(2 / math.pi), 0.044715


@dataclass(frozen=True)
class GELUTanh(Activation):
    """x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).

    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415
    """

    op = word = "gelu_tanh"
    steepest = 1.13
    onnx_opset = 20
    rectifies = reads_input = True

    @staticmethod
    def _gate(z: np.ndarray) -> np.ndarray:
        """What the logistic function is taken of: it is that of tanh of half."""
        z = np.clip(z, -40, 40)  # where it is 0 or 1
        return z * (GATE + GATE * CUBE * z * z)

    def value(self, z: np.ndarray) -> np.ndarray:
        """0 at -inf, the limit."""
        return np.maximum(z, -40) * scipy.special.expit(self._gate(z))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """s + z s (1 - s) u', s the logistic function of u."""
        u, near = self._gate(z), np.clip(z, -40, 40)
        rises, falls = scipy.special.expit(u), scipy.special.expit(-u)
        return da * (rises + near * rises * falls * (GATE + 3 * GATE * CUBE * near * near))

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """u rounds by 4 eps of itself, and e^u by as much more of its own size."""
        return self.steepest * bound + (8 + 4 * abs(self._gate(z))) * EPS * abs(a) + TINY

    def to_torch(self, nn):
        return nn.GELU(approximate="tanh")

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Gelu", x, approximate="tanh")
