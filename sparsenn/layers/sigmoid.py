"""The logistic function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from .layer import Activation


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    op = word = "sigmoid"
    steepest = 0.25

    def value(self, z: np.ndarray) -> np.ndarray:
        """Without overflow."""
        return scipy.special.expit(z)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da a (1 - a)."""
        return da * (a * (1 - a))

    def to_torch(self, nn):
        return nn.Sigmoid()

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Sigmoid", x)
