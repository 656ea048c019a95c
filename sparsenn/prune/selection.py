"""Which units (weights, blocks or neurons) stay, given the importance of each."""

from __future__ import annotations

import numpy as np

from .amount import Amount


def select_kept(
    importances: list[np.ndarray], counts: list[int], *, layers: list[int], amount: Amount, scope: str
) -> list[np.ndarray]:
    """Masks of the units that stay.

    importances  one array a layer, of the layer's stored units, without NaN; larger = more important,
                 -inf where the unit is zero already
    counts       all units a layer, those not stored included
    layers       the index of each of these layers among the model's Linear layers
    scope        "global": one ranking and one threshold for all; "layer": each layer on its own
    ->           one bool array a layer, of the importances' shapes
    """
    if amount.per_layer is not None:
        return [
            keep_largest([importance], [count], amount.per_layer[layer])[0]
            for importance, count, layer in zip(importances, counts, layers, strict=True)
        ]
    if scope == "layer" and len(importances) > 1:
        return [
            select_kept([importance], [count], layers=[layer], amount=amount, scope="global")[0]
            for importance, count, layer in zip(importances, counts, layers, strict=True)
        ]
    if amount.sparsity is not None:
        return keep_largest(importances, counts, amount.sparsity)
    threshold = amount.threshold
    if amount.percentile is not None:
        flat = np.concatenate([importance.reshape(-1) for importance in importances])
        flat = flat[np.isfinite(flat)]
        threshold = np.percentile(flat, amount.percentile) if flat.size else 0.0
    return [importance >= threshold for importance in importances]


def keep_largest(importances: list[np.ndarray], counts: list[int], sparsity: float) -> list[np.ndarray]:
    """Masks that leave out the least important of all layers together, sparsity of sum(counts) in all.

    One that is not zero stays where rounding would remove every one.
    """
    flat = np.concatenate([importance.reshape(-1) for importance in importances])
    absent = sum(counts) - flat.size
    most = flat.size - 1 if (flat > -np.inf).any() else flat.size
    removed = smallest(flat, min(most, max(0, round(sparsity * sum(counts)) - absent)))
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
