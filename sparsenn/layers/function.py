"""What layers of graphs share that compute a function value by value, some of them not of every value."""

from __future__ import annotations

import numpy as np

from ..graph.coupling import slim
from ..graph.node import Node
from .layer import Pointwise


class Function(Pointwise):
    """Fused into the product or pair before it, as activations are; training computes it by itself."""

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        return np.broadcast_to(finite(self.value(slim(z))), z.shape)


def finite(values: np.ndarray) -> np.ndarray:
    """The values, NaN for infinities: as what nobody knows, they are folded into nothing."""
    return np.where(np.isfinite(values), values, np.nan)
