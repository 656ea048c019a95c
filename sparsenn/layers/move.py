"""What the layers share that only move values: nothing is computed, so nothing is rounded."""

from __future__ import annotations

import numpy as np

from ..graph.coupling import Coupling
from ..graph.node import Node
from .layer import Layer


class Move(Layer):
    """Its value holds values of its operands in other places."""

    def bound(self, *arguments: np.ndarray) -> np.ndarray:
        """The operands' bounds, moved like their values."""
        return self.value(*arguments[len(arguments) // 2 + 1 :])

    def depends(self, *masks: np.ndarray) -> np.ndarray:
        return self.value(*masks)

    def follow(self, coupling: Coupling, node: Node, *labels: np.ndarray) -> np.ndarray:
        """Labels move as values do."""
        return self.value(*labels)

    def constant(self, node: Node, *z: np.ndarray) -> np.ndarray:
        return self.value(*z)
