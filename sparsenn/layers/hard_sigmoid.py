"""The logistic function in three straight pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..checks import check_real
from ..errors import ArgumentError
from .layer import EPS, Activation


@dataclass(frozen=True)
class HardSigmoid(Activation):
    """min(max(alpha x + beta, 0), 1); alpha above 0, both finite, as float32 too.

    Source: Courbariaux, Bengio and David 2015, arXiv:1511.00363; alpha and beta are torch's
    """

    alpha: float = 1 / 6
    beta: float = 0.5

    op, word, attributes = "hard_sigmoid", "hard_sigmoid", ("alpha", "beta")

    def __post_init__(self) -> None:
        alpha = check_real("alpha", self.alpha, open_minimum=True)
        beta = check_real("beta", self.beta, minimum=-math.inf)
        with np.errstate(over="ignore", under="ignore"):
            rounded = np.float32(alpha), np.float32(beta)
        if not (0 < rounded[0] < math.inf and np.isfinite(rounded[1])):
            raise ArgumentError(
                f"alpha and beta must be in the range of float32, got alpha={alpha:g}, beta={beta:g}"
            )

    @property
    def steepest(self) -> float:
        return float(self.alpha)

    def value(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.clip(float(self.alpha) * z + float(self.beta), 0, 1)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """alpha da strictly between 0 and 1, else 0 (0 at both kinks)."""
        return da * ((a > 0) & (a < 1)) * float(self.alpha)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """Where it is not cut off, alpha x is at most 1 + |beta|, rounded as it is added to beta."""
        return super().bound(z, a, bound) + 2 * EPS * (1 + 2 * abs(self.beta))

    def to_torch(self, nn):
        """torch has a module for alpha 1/6 and beta 1/2 alone; of others its formula is traced."""
        if np.float32(self.alpha) == np.float32(1 / 6) and self.beta == 0.5:
            return nn.Hardsigmoid()
        from torch.fx import symbolic_trace

        alpha, beta = float(self.alpha), float(self.beta)
        return symbolic_trace(lambda x: (x * alpha + beta).clamp(0.0, 1.0))

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("HardSigmoid", x, alpha=float(self.alpha), beta=float(self.beta))
