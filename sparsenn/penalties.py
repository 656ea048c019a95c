"""Penalties on the weights (biases are left alone), added to the gradient before the optimizer's step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class L2:
    """strength / 2 times the sum of squared weights. Of a sparse layer only stored weights count."""

    strength: float

    def value(self, values: np.ndarray) -> float:
        """The penalty of one parameter's values (any shape, float)."""
        return 0.5 * self.strength * float(np.square(values, dtype=np.float64).sum())

    def add_gradient(self, values: np.ndarray, gradient: np.ndarray) -> None:
        """Adds strength * values to gradient (the same shape), in place."""
        gradient += np.asarray(self.strength, values.dtype) * values
