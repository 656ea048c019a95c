"""The normalised exponential over one axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..graph.dims import check_axis, check_whole
from ..graph.value import Dims
from .layer import EPS, TINY, Layer


@dataclass(frozen=True)
class AxisSoftmax(Layer):
    """exp(x) / sum(exp(x)) along axis, which counts the batch as 0 and is never 0."""

    axis: int = -1

    op, integers = "softmax_axis", ("axis",)

    def __post_init__(self) -> None:
        check_whole("axis", self.axis)

    def resolve(self, dims: Dims) -> AxisSoftmax:
        return replace(self, axis=check_axis(type(self).__name__, self.axis, dims))

    def infer(self, dims: Dims) -> Dims:
        return dims

    @property
    def _place(self) -> int:
        """The axis of an array with the batch last."""
        return self.axis - 1

    def value(self, z: np.ndarray) -> np.ndarray:
        """Shifted by the maximum against overflow."""
        a = np.exp(z - z.max(axis=self._place, keepdims=True))
        return a / a.sum(axis=self._place, keepdims=True)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """a (da - sum(a da)) along the axis."""
        return a * (da - (a * da).sum(axis=self._place, keepdims=True))

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """exp(x + e) is exp(x) exp(e), in the numerator and in the sum, which rounds by eps a term."""
        moved = np.expm1(np.minimum(2 * bound.max(axis=self._place, keepdims=True), 700.0))
        return a * moved + (z.shape[self._place] + 8) * EPS * abs(a) + TINY

    def depends(self, mask: np.ndarray) -> np.ndarray:
        return np.broadcast_to(mask.any(axis=self._place, keepdims=True), mask.shape)

    def torch_value(self, torch, x):
        return torch.softmax(x, self.axis)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Softmax", x, axis=self.axis)
