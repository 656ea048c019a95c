"""The sigmoid linear unit, also called swish."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from .layer import Activation


@dataclass(frozen=True)
class SiLU(Activation):
    """x / (1 + exp(-x)).

    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415; Ramachandran, Zoph and Le 2017, arXiv:1710.05941
    """

    op = word = "silu"
    steepest = 1.1
    rectifies = reads_input = True

    def value(self, z: np.ndarray) -> np.ndarray:
        """z times the logistic function; 0 at -inf, the limit."""
        z = np.maximum(z, -750)
        return z * scipy.special.expit(z)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da s (1 + z (1 - s)), s the logistic function of z."""
        s = scipy.special.expit(z)
        return da * (s * (1 + z * (1 - s)))

    def to_torch(self, nn):
        return nn.SiLU()

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Mul", x, graph.node("Sigmoid", x))
