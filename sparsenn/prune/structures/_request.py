"""What a structure gets to work on, and how masks of weights become a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...layers import Matrix
from ...model import Model
from ..amount import Amount
from ..csr import stored_values, to_csr
from ..movement import carry_movement
from ..recorder import carry_range


@dataclass(frozen=True)
class Request:
    """A checked call of prune.

    layers       indices, among model.linear_layers, of those being pruned
    protected    indices of those that are to stay as they are
    importances  for every Linear layer an array of the shape of its stored values, without NaN; None is
                 possible for layers that are not being pruned
    """

    model: Model
    layers: list[int]
    protected: set[int]
    importances: list[np.ndarray | None]
    amount: Amount
    scope: str
    block: tuple[int, ...]
    nm: tuple[int, int]
    data: object

    def matrices(self) -> list[Matrix]:
        """The layers being pruned."""
        linears = self.model.linear_layers
        return [linears[index] for index in self.layers]

    def weights(self) -> list:
        """Their weights, ndarray or csr_array."""
        return [layer.weight for layer in self.matrices()]

    def scores(self) -> list[np.ndarray]:
        """The importances, with -inf where a weight is zero already: those go first."""
        return [
            np.where(stored_values(weight) == 0, -np.inf, self.importances[index])
            for index, weight in zip(self.layers, self.weights(), strict=True)
        ]

    def keep(self, masks: list[np.ndarray]) -> Model:
        """A new Model: the pruned layers in CSR with the weights of the masks, the others as they are."""
        return keep_weights(self.model, self.layers, masks)


def keep_weights(model: Model, layers: list[int], masks: list[np.ndarray]) -> Model:
    """A new Model: those of its linear_layers in CSR with the weights of the masks, all else as it is."""
    linears = model.linear_layers
    kept = {id(linears[index]): mask for index, mask in zip(layers, masks, strict=True)}
    return model.with_layers(
        lambda layer: _keep(layer, kept.get(id(layer))) if isinstance(layer, Matrix) else layer.copy()
    )


def _keep(layer: Matrix, kept: np.ndarray | None) -> Matrix:
    """A layer of its own arrays: kept (a mask over the stored values) in CSR, or as it is for None."""
    after = layer.with_weight(layer.weight if kept is None else to_csr(layer.weight, kept), layer.bias)
    carry_range(layer, after, ... if kept is None else kept)
    carry_movement(layer, after, ... if kept is None else kept)
    return after
