"""The range of each weight's values during training, which the criterion `change` ranks by."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from ..errors import ArgumentError
from ..layers import Linear
from ..model import Model
from .csr import stored_values

_ranges: WeakKeyDictionary[Linear, tuple[np.ndarray, np.ndarray]] = WeakKeyDictionary()


class RecordRange:
    """A callback of train that records the smallest and the largest value of each weight.

        snn.train(model, X, y, callbacks=[snn.RecordRange(model)])
        snn.prune(model, criterion="change")

    Values are taken when it is made and after each epoch. The record belongs to the model's layers: it goes
    on in the next training, is carried over to the pruned model, and is not saved with the model.
    """

    def __init__(self, model: Model, ranges: list | None = None):
        """ranges: a record of the same model to go on from, as ranges() gave it in another process."""
        if not isinstance(model, Model):
            raise TypeError(f"model must be a Model, got {type(model).__name__}")
        self._layers = model.linear_layers
        for layer, (low, high) in zip(self._layers, ranges or [], strict=bool(ranges)):
            _ranges[layer] = low.copy(), high.copy()
        self._take()

    def ranges(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Smallest and largest value of each stored weight, a pair of arrays a Linear layer."""
        return [_ranges[layer] for layer in self._layers]

    def __call__(self, trainer, row: dict) -> None:
        """Takes the present values; arguments are those of a callback of train."""
        self._take()

    def _take(self) -> None:
        for layer in self._layers:
            values = stored_values(layer.weight)
            low, high = _ranges.get(layer, (None, None))
            if low is None or low.shape != values.shape:
                _ranges[layer] = values.copy(), values.copy()
            else:
                np.minimum(low, values, out=low)
                np.maximum(high, values, out=high)


def recorded_range(layer: Linear, index: int) -> np.ndarray:
    """Largest less smallest value of each stored weight, float32. ArgumentError where none was recorded."""
    low, high = _ranges.get(layer, (None, None))
    if low is None or low.shape != np.shape(stored_values(layer.weight)):
        raise ArgumentError(
            f"criterion 'change' needs the weights' history, got none for Linear layer {index}: "
            "train with callbacks=[sparsenn.RecordRange(model)] first"
        )
    return high - low


def carry_range(before: Linear, after: Linear, kept) -> None:
    """Hands the record of a layer on to the pruned one; kept indexes the stored values of before."""
    low, high = _ranges.get(before, (None, None))
    if low is not None and low.shape == np.shape(stored_values(before.weight)):
        _ranges[after] = low[kept].copy(), high[kept].copy()
