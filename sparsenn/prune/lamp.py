"""Layer-adaptive magnitude: makes magnitudes of different layers comparable."""

from __future__ import annotations

import numpy as np


def lamp_score(magnitude: np.ndarray) -> np.ndarray:
    """Square of each magnitude over the sum of the squares of it and all larger ones of its layer.

    magnitude  any shape, >= 0
    ->         the same shape, float64 in [0, 1]; the largest weight of a layer scores 1. Among equal
               magnitudes the first counts as the smallest. Zeros score 0.
    Source: Lee et al. 2021, arXiv:2010.07611, eq. 4
    """
    squares = np.square(magnitude.reshape(-1), dtype=np.float64)
    order = np.argsort(squares, kind="stable")
    remaining = np.cumsum(squares[order][::-1])[::-1]  # each square and all larger ones
    scores = np.zeros_like(squares)
    scores[order] = np.divide(squares[order], remaining, out=np.zeros_like(remaining), where=remaining > 0)
    return scores.reshape(magnitude.shape)
