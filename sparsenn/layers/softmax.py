"""The normalised exponential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layer import EPS, TINY, Activation


@dataclass(frozen=True)
class Softmax(Activation):
    """exp(x) / sum(exp(x)) over the features of one sample; over the last axis where there are more."""

    op = word = "softmax"
    mixes_features = True

    def value(self, z: np.ndarray) -> np.ndarray:
        """Shifted by the maximum against overflow."""
        a = np.exp(z - z.max(axis=-2, keepdims=True))
        return a / a.sum(axis=-2, keepdims=True)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """a (da - sum(a da)) per sample."""
        return a * (da - (a * da).sum(axis=-2, keepdims=True))

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """exp(x + e) is exp(x) exp(e), in the numerator and in the sum."""
        moved = np.expm1(np.minimum(2 * bound.max(axis=-2, keepdims=True), 700.0))
        return a * moved + 8 * EPS * abs(a) + TINY

    def to_torch(self, nn):
        return nn.Softmax(dim=-1)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Softmax", x, axis=-1)
