"""A smooth rectified linear unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from .layer import Activation


@dataclass(frozen=True)
class Softplus(Activation):
    """log(1 + exp(x)).

    Source: Dugas et al. 2001, Incorporating Second-Order Functional Knowledge for Better Option Pricing
    """

    op = word = "softplus"
    rectifies = reads_input = True

    def value(self, z: np.ndarray) -> np.ndarray:
        """Without overflow."""
        return np.logaddexp(z, z.dtype.type(0))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da times the logistic function of z."""
        return da * scipy.special.expit(z)

    def to_torch(self, nn):
        return nn.Softplus()

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Softplus", x)
