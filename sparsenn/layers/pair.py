"""What the layers of two operands share: they work value by value, and broadcast as numpy does."""

from __future__ import annotations

import numpy as np

from ..graph.coupling import Coupling, shape_of, slim
from ..graph.dims import broadcast
from ..graph.node import Node
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

    def follow(self, coupling: Coupling, node: Node, *labels: np.ndarray | None) -> np.ndarray:
        """What meets goes together; what is repeated over several units stays."""
        shape = shape_of(node.output.dims)
        if labels[0] is None or labels[1] is None:
            (own,) = (one for one in labels if one is not None)
            return np.broadcast_to(own, shape)
        met = [own for own, other in (labels, labels[::-1]) if not _repeated_over_several(own, other)]
        for own in labels:
            if not any(own is one for one in met):
                coupling.pin(own, f"that {type(self).__name__} repeats over several others")
        if not met:
            return np.broadcast_to(np.int64(0), shape)
        coupling.join(met[0], met[-1])
        return np.broadcast_to(met[0], shape)

    def constant(self, node: Node, *z: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self.value(*map(slim, z)), shape_of(node.output.dims))


def summed_to(da: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """da added up over the axes along which an operand of that shape was repeated."""
    da = da.sum(axis=tuple(range(da.ndim - len(shape))))
    repeated = tuple(i for i, (size, own) in enumerate(zip(da.shape, shape, strict=True)) if own < size)
    return da.sum(axis=repeated, keepdims=True) if repeated else da


def _repeated_over_several(own: np.ndarray, other: np.ndarray) -> bool:
    """Whether a label of own is repeated along an axis along which those of other differ."""
    axes = [i for i, (size, against) in enumerate(zip(own.shape, other.shape, strict=True)) if size < against]
    part = slim(other)
    return any((part != part.take([0], axis=axis)).any() for axis in axes)
