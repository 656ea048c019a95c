"""What the layers share that compare two values: 1 where it holds, else 0."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from .pair import Pair


class Comparison(Pair):
    """1 where x and y compare so, else 0; NaN where one of them is, as every layer keeps NaN."""

    onnx_op: str  # of booleans

    @abstractmethod
    def holds(self, x, y):
        """Booleans."""

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        known = ~(np.isnan(x) | np.isnan(y))
        return np.where(known, self.holds(x, y), np.nan).astype(np.result_type(x, y))

    def bound(self, x, y, a, x_bound, y_bound) -> np.ndarray:
        """1 where the operands' bounds let either be the larger."""
        near = abs(x - y) <= x_bound + y_bound
        return np.where(near & (x_bound + y_bound > 0), 1.0, 0.0)

    def gradient(self, x, y, a, da) -> tuple[np.ndarray, np.ndarray]:
        """A step has no slope."""
        return np.zeros(x.shape, da.dtype), np.zeros(y.shape, da.dtype)

    def torch_value(self, torch, x, y):
        return self.holds(x, y).float()

    def to_onnx(self, graph, x: str, y: str) -> str:
        return graph.node("Cast", graph.node(self.onnx_op, x, y), to=graph.onnx.TensorProto.FLOAT)
