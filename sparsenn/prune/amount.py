"""How much is pruned: by sparsity, by sparsity of each layer, by threshold or by percentile."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..checks import check_real
from ..errors import ArgumentError

DEFAULT_SPARSITY = 0.9


@dataclass(frozen=True)
class Amount:
    """One of the four is given, none where the structure says how much (n:m).

    sparsity    share of zeros in [0, 1)
    per_layer   such shares by the index of the Linear layer; layers not named are kept
    threshold   what is less important goes
    percentile  in [0, 100]: what is less important than that percentile goes
    """

    sparsity: float | None = None
    per_layer: dict[int, float] | None = None
    threshold: float | None = None
    percentile: float | None = None


def check_amount(sparsity, threshold, percentile, *, layers: int, follows: str | None = None) -> Amount:
    """The Amount of these arguments of prune, or an error.

    layers   how many Linear layers the model has
    follows  the structure that fixes the sparsity itself, if it does
    """
    arguments = {"sparsity": sparsity, "threshold": threshold, "percentile": percentile}
    given = [name for name, value in arguments.items() if value is not None]
    if follows and given:
        raise ArgumentError(
            f"{given[0]} must not be given with structure {follows!r}, which fixes the sparsity"
        )
    if len(given) > 1:
        raise ArgumentError(
            f"sparsity, threshold and percentile exclude each other, got {' and '.join(given)}"
        )
    if follows:
        return Amount()
    if threshold is not None:
        value = check_real("threshold", threshold, minimum=-math.inf)
        return Amount(threshold=value)
    if percentile is not None:
        value = check_real("percentile", percentile)
        if value > 100:
            raise ArgumentError(f"percentile must be in [0, 100], got {value:g}")
        return Amount(percentile=value)
    if isinstance(sparsity, Mapping):
        return Amount(per_layer=_check_per_layer(sparsity, layers))
    return Amount(sparsity=check_sparsity(DEFAULT_SPARSITY if sparsity is None else sparsity))


def check_sparsity(sparsity, name: str = "sparsity") -> float:
    """sparsity as a float in [0, 1)."""
    return check_real(name, sparsity, below=1.0)


def check_keep(count: int, keep) -> set[int]:
    """The indices in [0, count) that keep names: one integer or several, negative ones from the end."""
    indices = (keep,) if isinstance(keep, numbers.Integral) else keep
    if isinstance(indices, str) or not isinstance(indices, Iterable):
        raise TypeError(f"keep must be a sequence of integers, got {type(keep).__name__}")
    return {check_index("keep", index, count) for index in indices}


def layers_to_prune(count: int, keep, amount: Amount) -> list[int]:
    """Indices of the Linear layers being pruned, in order."""
    protected = check_keep(count, keep)
    if amount.per_layer is not None:
        both = protected & set(amount.per_layer)
        if both:
            raise ArgumentError(f"sparsity must not name a layer that keep protects, got {min(both)} in both")
        return sorted(amount.per_layer)
    remaining = [index for index in range(count) if index not in protected]
    if not remaining:
        raise ArgumentError(f"keep must leave a Linear layer to prune, got all {count}")
    return remaining


def _check_per_layer(sparsity: Mapping, layers: int) -> dict[int, float]:
    if not sparsity:
        raise ArgumentError("sparsity must name at least one layer, got an empty dict")
    checked: dict[int, float] = {}
    for index, value in sparsity.items():
        position = check_index("sparsity", index, layers)
        if position in checked:
            raise ArgumentError(f"sparsity must name a layer once, got {position} twice")
        checked[position] = check_sparsity(value, f"sparsity[{index}]")
    return checked


def check_index(name: str, index, count: int) -> int:
    """index of a Linear layer in [0, count), from one that may count from the end."""
    if isinstance(index, (bool, np.bool_)) or not isinstance(index, numbers.Integral):
        raise TypeError(f"{name} must hold integers, got {type(index).__name__}")
    if not -count <= index < count:
        raise ArgumentError(f"{name} must hold indices of the model's {count} Linear layers, got {index}")
    return int(index) % count
