"""What the layers of two operands share: they work value by value, and broadcast as numpy does."""

from __future__ import annotations

import numpy as np

from ..graph.dims import broadcast
from ..graph.value import Dims
from .layer import Layer


class Pair(Layer):
    """Two values of as many dims, or a value and a constant; dims of 1 are repeated, the batch never is."""

    operands = (2, 2)
    takes_constants = True

    def infer(self, a: Dims, b: Dims) -> Dims:
        return broadcast(type(self).__name__, a, b)

    def depends(self, *masks: np.ndarray) -> np.ndarray:
        return masks[0] | masks[1]


def summed_to(da: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """da added up over the axes along which an operand of that shape was repeated."""
    da = da.sum(axis=tuple(range(da.ndim - len(shape))))
    repeated = tuple(i for i, (size, own) in enumerate(zip(da.shape, shape, strict=True)) if own < size)
    return da.sum(axis=repeated, keepdims=True) if repeated else da
