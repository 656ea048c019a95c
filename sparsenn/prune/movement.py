"""Movement: how far gradients push each weight away from zero while it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import scipy

from ..checks import as_float32, as_numbers, check_finite
from ..errors import ArgumentError
from ..layers import Matrix
from ..model import Model
from .csr import stored_positions, stored_values


@dataclass
class _Record:
    """score: of each stored value, in its shape, float32;  weight: the sparse one that it is of, or None."""

    score: np.ndarray
    weight: scipy.sparse.csr_array | None


_records: WeakKeyDictionary[Matrix, _Record] = WeakKeyDictionary()


class RecordMovement:
    """A callback of train that adds up the movement of each weight, which the criterion `movement` ranks by.

        snn.train(model, X, y, callbacks=[snn.RecordMovement(model)])
        snn.prune(model, criterion="movement")

    The movement is the sum over the steps of -w dL/dw, above 0 where gradients made the weight larger. The
    record belongs to the model's layers: it goes on in the next training, is carried over to the pruned
    model, and is in the checkpoints of train, but not saved with the model. What regrow brings begins at 0.

    Source: Sanh, Wolf and Rush 2020, arXiv:2005.07683, eq. 5
    """

    saved_as = "movement"

    def __init__(self, model: Model, scores: list[np.ndarray] | None = None):
        """scores: a record of the same model to go on from, as scores() gave it in another process.

        ArgumentError for scores of other layers, of another shape or not finite: no record changes then.
        """
        if not isinstance(model, Model):
            raise TypeError(f"model must be a Model, got {type(model).__name__}")
        self._layers = model.linear_layers
        if scores is not None:
            self.restore(self._checked(scores))
        for layer in self._layers:
            _record_of(layer, begin=True)

    def scores(self) -> list[np.ndarray]:
        """The movement of each stored weight so far, a copy a Linear layer."""
        return [score.copy() for score in self._scores()]

    def _scores(self) -> list[np.ndarray]:
        """The records themselves."""
        return [_record_of(layer, begin=True).score for layer in self._layers]

    def _checked(self, scores) -> list[np.ndarray]:
        if not isinstance(scores, (list, tuple)) or len(scores) != len(self._layers):
            got = len(scores) if isinstance(scores, (list, tuple)) else type(scores).__name__
            raise ArgumentError(f"scores must be a list of {len(self._layers)}, one a layer, got {got}")
        checked = []
        for index, (layer, score) in enumerate(zip(self._layers, scores, strict=True)):
            name, shape = f"scores[{index}]", np.shape(stored_values(layer.weight))
            array = as_numbers(score, name)
            if array.shape != shape:
                raise ArgumentError(f"{name} must have shape {shape}, got {array.shape}")
            check_finite(array, name)
            checked.append(as_float32(array, name))
        return checked

    def __call__(self, trainer, row: dict) -> None:
        """After an epoch there is nothing to do."""

    def gradients(self, trainer) -> None:
        """Takes the gradients of a step, before weights move."""
        for layer, parameter in zip(self._layers, self._parameters(trainer), strict=True):
            score = _record_of(layer, begin=True).score.reshape(-1)
            score -= parameter.flat * parameter.flat_gradient

    def _parameters(self, trainer) -> list:
        """The weights of the layers in a trainer."""
        steps = {id(step.layer): step for step in trainer.network.linear_steps}
        if any(id(layer) not in steps for layer in self._layers):
            raise ArgumentError("RecordMovement must be given the model that is trained, got another")
        return [steps[id(layer)].weight_parameter for layer in self._layers]

    # ---- checkpoints of train ----

    def to_arrays(self) -> dict[str, np.ndarray]:
        """By the number of the layer."""
        return {str(index): score.reshape(-1) for index, score in enumerate(self._scores())}

    def read(self, take: Callable[..., np.ndarray], model: Model) -> list[np.ndarray]:
        """What to_arrays gave, out of a checkpoint; model: the checkpoint's own."""
        sizes = [np.size(stored_values(layer.weight)) for layer in model.linear_layers]
        return [take(str(index), np.float32, shape=(size,)) for index, size in enumerate(sizes)]

    def restore(self, scores: list[np.ndarray]) -> None:
        """Goes on from scores, of the weights as they are now."""
        for layer, score in zip(self._layers, scores, strict=True):
            _put(layer, score.reshape(np.shape(stored_values(layer.weight))).copy())


def recorded_movement(layer: Matrix, index: int) -> np.ndarray:
    """Of each stored weight, float32. ArgumentError where none was recorded."""
    record = _record_of(layer)
    if record is None:
        raise ArgumentError(
            f"criterion 'movement' needs the weights' gradients while they are trained, got none for Linear "
            f"layer {index}: train with callbacks=[sparsenn.RecordMovement(model)] first"
        )
    return record.score


def has_movement(model: Model) -> bool:
    """Whether every layer with a weight has a record."""
    return all(_record_of(layer) is not None for layer in model.linear_layers)


def carry_movement(before: Matrix, after: Matrix, kept) -> None:
    """Hands the record of a layer on to the pruned one; kept indexes the stored values of before."""
    record = _record_of(before)
    if record is not None:
        _put(after, record.score[kept].copy())


def _put(layer: Matrix, score: np.ndarray) -> _Record:
    _records[layer] = _Record(score, layer.weight if layer.sparse else None)
    return _records[layer]


def _record_of(layer: Matrix, *, begin: bool = False) -> _Record | None:
    """The record of a layer's present weight; None, or with begin a new one of zeros, where it has none."""
    record, shape = _records.get(layer), np.shape(stored_values(layer.weight))
    before = None if record is None or not layer.sparse else record.weight
    if before is not None and before.indices is not layer.weight.indices:  # regrow gave it another pattern
        record = _put(layer, _at_pattern(record, layer.weight))
    if record is not None and record.score.shape == shape:
        return record
    return _put(layer, np.zeros(shape, np.float32)) if begin else None


def _at_pattern(record: _Record, weight: scipy.sparse.csr_array) -> np.ndarray:
    """The scores at the pattern of another weight of that shape: 0 where there was none."""
    old, new = (_keys(one) for one in (record.weight, weight))
    place = np.minimum(np.searchsorted(old, new), max(old.size - 1, 0))
    if not old.size:
        return np.zeros(new.size, np.float32)
    return np.where(old[place] == new, record.score[place], np.float32(0))


def _keys(weight: scipy.sparse.csr_array) -> np.ndarray:
    """row * columns + column of each stored weight, rising."""
    rows, columns = stored_positions(weight)
    return rows.astype(np.int64) * weight.shape[1] + columns
