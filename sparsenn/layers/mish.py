"""A smooth unit that is not monotonic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from .layer import Activation


@dataclass(frozen=True)
class Mish(Activation):
    """x tanh(log(1 + exp(x))).

    Source: Misra 2019, Mish: A Self Regularized Non-Monotonic Activation Function, arXiv:1908.08681
    """

    op = word = "mish"
    steepest = 1.1
    rectifies = reads_input = True

    def value(self, z: np.ndarray) -> np.ndarray:
        """0 at -inf, the limit."""
        return np.maximum(z, -750) * _gate(z)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da (w + z (1 - w^2) s), w = tanh(log(1 + exp(z))) and s the logistic function of z."""
        w = _gate(z)
        return da * (w + z * (1 - w * w) * scipy.special.expit(z))

    def to_torch(self, nn):
        return nn.Mish()

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Mul", x, graph.node("Tanh", graph.node("Softplus", x)))


def _gate(z: np.ndarray) -> np.ndarray:
    return np.tanh(np.logaddexp(z, z.dtype.type(0)))
