"""The larger and the smaller of two values: what they share."""

from __future__ import annotations

import numpy as np

from .pair import Pair, summed_to


class Extreme(Pair):
    """One of x and y, value by value; NaN where one of them is."""

    def bound(self, x, y, a, x_bound, y_bound) -> np.ndarray:
        return np.maximum(x_bound, y_bound)

    def gradient(self, x, y, a, da) -> tuple[np.ndarray, np.ndarray]:
        """da for the one that is taken, half of it for each where they are equal."""
        share = np.where(x == y, 0.5, x == a).astype(da.dtype)
        return summed_to(da * share, x.shape), summed_to(da * (1 - share), y.shape)
