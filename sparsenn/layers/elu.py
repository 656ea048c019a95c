"""The exponential linear unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..checks import check_real
from ..errors import ArgumentError
from .layer import Activation


@dataclass(frozen=True)
class ELU(Activation):
    """x for x > 0, else alpha (exp(x) - 1); alpha finite and above 0, as float32 too.

    Source: Clevert, Unterthiner and Hochreiter 2016, arXiv:1511.07289
    """

    alpha: float = 1.0

    op, word, attributes = "elu", "elu", ("alpha",)
    rectifies = True

    def __post_init__(self) -> None:
        alpha = check_real("alpha", self.alpha, open_minimum=True)
        with np.errstate(over="ignore", under="ignore"):
            rounded = np.float32(alpha)
        if not 0 < rounded < math.inf:
            raise ArgumentError(f"alpha must be in the range of float32, got {alpha:g}")

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.where(z > 0, z, float(self.alpha) * np.expm1(np.minimum(z, 0)))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da where z > 0, else da alpha exp(z), which is da (a + alpha)."""
        return da * np.where(a > 0, 1, a + float(self.alpha))

    @property
    def steepest(self) -> float:
        return max(1.0, self.alpha)

    def to_torch(self, nn):
        return nn.ELU(self.alpha)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Elu", x, alpha=self.alpha)
