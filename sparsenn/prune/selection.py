"""Which weights stay, given the importance of each."""

from __future__ import annotations

import numpy as np


def select_kept(
    importances: list[np.ndarray], counts: list[int], *, sparsity: float, scope: str
) -> list[np.ndarray]:
    """Masks of the weights that stay: all but the least important.

    importances  one array a layer, of the layer's stored weights, without NaN; larger = more important
    counts       all weights a layer, those not stored included
    sparsity     share of zeros wanted among counts;  scope  "global" or "layer"
    ->           one bool array a layer, of the importances' shapes
    """
    if scope == "layer":
        return [
            select_kept([importance], [count], sparsity=sparsity, scope="global")[0]
            for importance, count in zip(importances, counts, strict=True)
        ]
    flat = np.concatenate([importance.reshape(-1) for importance in importances])
    absent = sum(counts) - flat.size
    removed = smallest(flat, max(0, round(sparsity * sum(counts)) - absent))
    parts = np.split(~removed, np.cumsum([importance.size for importance in importances])[:-1])
    return [part.reshape(importance.shape) for part, importance in zip(parts, importances, strict=True)]


def smallest(values: np.ndarray, count: int) -> np.ndarray:
    """Mask of exactly count smallest values (n,); among equal ones, those that come first."""
    if count == 0:
        return np.zeros(values.size, bool)
    threshold = np.partition(values, count - 1)[count - 1]
    mask = values < threshold
    ties = np.flatnonzero(values == threshold)
    mask[ties[: count - np.count_nonzero(mask)]] = True
    return mask
