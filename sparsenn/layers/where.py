"""One of two values, as a third one says."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from ..graph.dims import broadcast
from ..graph.value import Dims
from .layer import Layer
from .pair import summed_to


@dataclass(frozen=True)
class Where(Layer):
    """x where the condition is not 0, else y, broadcast as numpy does; NaN where the condition is.

    Called as Where()(condition, x, y); any of them may be a constant, but not all.
    """

    op, operands = "where", (3, 3)
    takes_constants = True

    def infer(self, *dims: Dims) -> Dims:
        return functools.reduce(lambda a, b: broadcast("Where", a, b), dims)

    def value(self, condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        chosen = np.where(condition != 0, x, y)
        return np.where(np.isnan(condition), np.nan, chosen).astype(np.result_type(x, y))

    def bound(self, condition, x, y, a, condition_bound, x_bound, y_bound) -> np.ndarray:
        """The bound of what is taken; of either where the condition's bound lets it be 0 or not."""
        taken = np.where(condition != 0, x_bound, y_bound)
        either = abs(x - y) + np.maximum(x_bound, y_bound)
        open_ = (condition_bound > 0) & (abs(condition) <= condition_bound)
        return np.where(open_, either, taken)

    def gradient(self, condition, x, y, a, da) -> tuple[np.ndarray, ...]:
        """da for the one that is taken."""
        taken = np.broadcast_to(condition != 0, da.shape)
        return (
            np.zeros(condition.shape, da.dtype),
            summed_to(da * taken, x.shape),
            summed_to(da * ~taken, y.shape),
        )

    def depends(self, *masks: np.ndarray) -> np.ndarray:
        return masks[0] | masks[1] | masks[2]

    def torch_value(self, torch, condition, x, y):
        return torch.where(condition != 0, x, y)

    def to_onnx(self, graph, condition: str, x: str, y: str) -> str:
        return graph.node("Where", graph.node("Cast", condition, to=graph.onnx.TensorProto.BOOL), x, y)
