"""The rectified linear unit with slopes that are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..graph.value import Dims
from .layer import EPS, TINY
from .pair import Pair, summed_to


@dataclass(frozen=True)
class PReLU(Pair):
    """x for x > 0, else y x: the slopes y are mostly a constant, (channels,), or (channels, 1, 1) for images.

    Source: He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852
    """

    op = "prelu"

    def infer(self, a: Dims, b: Dims) -> Dims:
        dims = super().infer(a, b)
        if dims != a:
            raise ArgumentError(f"PReLU: the slopes must fit x, got {b} for {a}")
        return dims

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, y * x)

    def bound(self, x, y, a, x_bound, y_bound) -> np.ndarray:
        """Along x it is nowhere steeper than 1 or y; along y its slope is x, and 0 for x > 0."""
        moved = np.maximum(1, abs(y) + y_bound) * x_bound + np.where(x <= x_bound, abs(x) * y_bound, 0)
        return moved + EPS * (abs(a) + moved) + TINY

    def gradient(self, x, y, a, da) -> tuple[np.ndarray, np.ndarray]:
        """da and 0 for x > 0, else da y and da x, added up where y was repeated."""
        return da * np.where(x > 0, da.dtype.type(1), y), summed_to(da * np.minimum(x, 0), y.shape)

    def torch_value(self, torch, x, y):
        return torch.clamp(x, min=0.0) + y * torch.clamp(x, max=0.0)

    def to_onnx(self, graph, x: str, y: str) -> str:
        return graph.node("PRelu", x, y)
