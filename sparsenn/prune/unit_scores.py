"""Which groups of units may be removed of which layers, and how important each is."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import ArgumentError
from ..layers import Matrix
from ..model import Model
from .amount import Amount
from .csr import stored_positions, stored_values
from .units import Units, without_effect


def free_units(
    units: Units, layers: Iterable[int], amount: Amount, keep: Iterable[int] = ()
) -> dict[int, np.ndarray]:
    """The groups that may go, by the first of layers that they have a row in; layers without any left out.

    layers  indices among the model's weight matrices, of those being pruned
    amount  where it names layers, groups that these share with others go by it; else those that are shared
            with a layer that is not in layers stay
    keep    layers whose rows all stay
    ArgumentError where a layer that amount names, or every layer, has nothing to remove.
    """
    named = amount.per_layer
    layers = sorted(layers)
    protected = set(keep) if named else set(range(len(units.rows))) - set(layers)
    taken = np.zeros(units.count + 1, bool)
    taken[0] = True
    for index in protected:
        taken[units.rows[index]] = True
    free, owner = {}, np.full(units.count + 1, -1)
    for index in layers:
        own = np.unique(units.rows[index])
        if named:
            _check_named(units, index, own, owner, named)
        own = own[~taken[own]]
        taken[own], owner[own] = True, index
        if own.size:
            free[index] = own
    if not free:
        _refuse(units, layers)
    return free


def _check_named(units: Units, index: int, own: np.ndarray, owner: np.ndarray, named: dict) -> None:
    if units.obstacles[index] is not None:
        raise ArgumentError(
            f"sparsity must name layers with neurons or channels that can be removed, got {index}, whose are "
            f"those {units.obstacles[index]}"
        )
    for other in np.unique(owner[own]).tolist():
        if other >= 0 and named[other] != named[index]:
            raise ArgumentError(
                f"sparsity must be the same for layers whose channels go together, got {named[other]:g} for "
                f"layer {other} and {named[index]:g} for layer {index}"
            )


def _refuse(units: Units, layers: list[int]) -> None:
    for index in layers:
        obstacle = units.obstacles[index]
        if obstacle is not None and obstacle != "of an output":
            raise ArgumentError(
                f"neurons and channels {obstacle} cannot be removed, got nothing else to remove"
            )
    raise ArgumentError("model must have a hidden layer that keep does not name, got none")


def unit_scores(model: Model, units: Units, importances: list) -> np.ndarray:
    """Importance of each group (groups + 1,) float64; -inf where it has no effect.

    The mean importance of the weights that come in, plus that of those that go out: over the rows, or the
    columns, that a layer has of the group, and then over the layers.
    """
    incoming, outgoing = _Mean(units.count), _Mean(units.count)
    for index, layer in enumerate(model.linear_layers):
        if importances[index] is None:
            continue
        rows, columns = _sums(layer, importances[index])
        row_parts, unit_parts = layer.parts
        wide = np.bincount(unit_parts).max() * layer.columns_per_unit  # of the largest group of channels
        high = np.bincount(row_parts).max()
        incoming.add(units.rows[index], rows / wide)
        outgoing.add(units.column_groups(index, layer), columns / high)
    score = incoming.values + outgoing.values
    return np.where(without_effect(model, units), -np.inf, score)


class _Mean:
    """Of what the layers have for each group, each layer counting once."""

    def __init__(self, count: int):
        self._sum, self._count = np.zeros(count + 1), np.zeros(count + 1)

    def add(self, groups: np.ndarray, values: np.ndarray) -> None:
        counts = np.bincount(groups, minlength=self._sum.size)
        self._sum += np.bincount(groups, values, minlength=self._sum.size) / np.maximum(counts, 1)
        self._count += counts > 0

    @property
    def values(self) -> np.ndarray:
        return self._sum / np.maximum(self._count, 1)


def _sums(layer: Matrix, importance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sums of the importances of the weights that are not zero, by row and by column."""
    stored = stored_values(layer.weight).reshape(-1)
    used = np.where(stored != 0, importance.reshape(-1), 0)
    rows, columns = stored_positions(layer.weight)
    return (
        np.bincount(rows, used, minlength=layer.shape[0]),
        np.bincount(columns, used, minlength=layer.shape[1]),
    )
