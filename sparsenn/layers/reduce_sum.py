"""The sum of some axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layer import EPS, TINY
from .reduce import Reduce


@dataclass(frozen=True)
class ReduceSum(Reduce):
    """The sum of all values along the axes, which stay as dims of 1; they stand next to each other."""

    op = "reduce_sum"

    def value(self, z: np.ndarray) -> np.ndarray:
        return z.sum(axis=self._places, keepdims=True)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """A sum of k values rounds by at most k eps of their sizes."""
        sizes = (abs(z) + bound).sum(axis=self._places, keepdims=True)
        return bound.sum(axis=self._places, keepdims=True) + self._count(z) * EPS * sizes + TINY

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return np.broadcast_to(da, z.shape).copy()

    def torch_value(self, torch, x):
        return x.sum(self.axes, keepdim=True)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("ReduceSum", x, graph.integers("axes", self.axes))
