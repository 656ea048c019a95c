"""The logarithm of the normalised exponential over one axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .axis_softmax import AxisSoftmax
from .layer import EPS


@dataclass(frozen=True)
class LogSoftmax(AxisSoftmax):
    """x - log(sum(exp(x))) along axis, which counts the batch as 0 and is never 0."""

    op = "log_softmax"

    def value(self, z: np.ndarray) -> np.ndarray:
        """Shifted by the maximum against overflow."""
        z = z - z.max(axis=self._place, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=self._place, keepdims=True))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da - exp(a) sum(da) along the axis."""
        return da - np.exp(a) * da.sum(axis=self._place, keepdims=True)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """Twice the largest bound along the axis; eps a term of the sum, and of x - max."""
        moved = 2 * bound.max(axis=self._place, keepdims=True)
        return moved + (z.shape[self._place] + 8) * EPS * (1 + abs(a) + moved)

    def torch_value(self, torch, x):
        return torch.log_softmax(x, self.axis)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("LogSoftmax", x, axis=self.axis)
