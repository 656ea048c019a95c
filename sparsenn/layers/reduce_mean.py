"""The mean of some axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layer import EPS, TINY
from .reduce import Reduce


@dataclass(frozen=True)
class ReduceMean(Reduce):
    """The mean of all values along the axes, which stay as dims of 1; they stand next to each other."""

    op = "reduce_mean"

    def value(self, z: np.ndarray) -> np.ndarray:
        return z.mean(axis=self._places, keepdims=True)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """A sum of k values rounds by at most k eps of their sizes, the quotient by one more."""
        sizes = (abs(z) + bound).mean(axis=self._places, keepdims=True)
        return bound.mean(axis=self._places, keepdims=True) + (self._count(z) + 1) * EPS * sizes + TINY

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return np.broadcast_to(da / np.asarray(self._count(z), da.dtype), z.shape).copy()

    def torch_value(self, torch, x):
        return x.mean(self.axes, keepdim=True)

    def to_onnx(self, graph, x: str) -> str:
        return graph.over_axes("ReduceMean", x, self.axes)
