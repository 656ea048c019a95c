"""Pruning: a new model with the least important weights gone and the rest in CSR.

    criteria/*.py  ->  importance of each weight  ->  selection.py  ->  which are kept  ->  csr.py

A criterion is one file in criteria/, found by its name; see criteria/__init__.py.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable

import numpy as np

from ..errors import ArgumentError
from ..model import Linear, Model
from .criteria import criteria, find_criterion
from .csr import stored_values, to_csr, weight_count
from .selection import select_kept

__all__ = ["criteria", "prune"]

Criterion = Callable[[Model, object], list]


def prune(
    model: Model,
    *,
    sparsity: float = 0.9,
    criterion: str | Criterion = "magnitude",
    scope: str = "global",
    keep: int | Iterable[int] = (),
    data=None,
) -> Model:
    """A new Model whose least important weights are removed; model itself is left as it is.

    sparsity   share of zeros in [0, 1) among the weights of the layers being pruned, met to within one
               weight. Zeros that are there already, stored or left out of a CSR layer, count and go first.
               Nothing grows back: what is sparser than asked for stays at its own sparsity.
    criterion  a name from criteria(), or a function (model, data) -> list with one array a Linear layer,
               larger = more important: (out, in) for a dense layer, (nnz,) in storage order for a CSR layer;
               None is allowed for a kept layer
    scope      "global": one ranking over all layers; "layer": each layer gets this sparsity
    keep       indices into the list of the Linear layers, negative ones from the end: keep=(-1,) protects the
               last Linear. A kept layer is copied as it is and does not count in the sparsity.
    data       handed to the criterion; (X, y) for those that look at data

    Pruned layers come out as csr_array float32 with sorted int32 indices, dense ones at sparsity 0 included.
    Equal importances go in order of position (layer, row, column), so the same call gives the same model.
    Raises ValueError or TypeError for bad input.
    Source (magnitude, global): Han et al. 2015, arXiv:1506.02626
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, got {type(model).__name__}")
    sparsity = _check_sparsity(sparsity)
    if scope not in ("global", "layer"):
        raise ArgumentError(f"scope must be 'global' or 'layer', got {scope!r}")
    linears = model.linear_layers
    pruned = _layers_to_prune(len(linears), keep)
    rank = criterion if callable(criterion) else find_criterion(criterion)
    importances = _check_importances(rank(model, data), linears, pruned)

    for position, index in enumerate(pruned):
        zeros = stored_values(linears[index].weight) == 0
        importances[position] = np.where(zeros, -np.inf, importances[position])
    counts = [weight_count(linears[index].weight) for index in pruned]
    kept = dict(zip(pruned, select_kept(importances, counts, sparsity=sparsity, scope=scope), strict=True))

    masks = iter([kept.get(index) for index in range(len(linears))])
    return Model(
        [_copy_linear(layer, next(masks)) if isinstance(layer, Linear) else layer for layer in model.layers]
    )


def _copy_linear(layer: Linear, kept: np.ndarray | None) -> Linear:
    """A Linear of its own arrays: kept (a mask over the stored values) in CSR, or as it is for None."""
    return Linear(layer.weight if kept is None else to_csr(layer.weight, kept), layer.bias)


def _check_sparsity(sparsity) -> float:
    if isinstance(sparsity, (bool, np.bool_)) or not isinstance(sparsity, numbers.Real):
        raise TypeError(f"sparsity must be a number, got {type(sparsity).__name__}")
    if not 0 <= sparsity < 1:
        raise ArgumentError(f"sparsity must be in [0, 1), got {float(sparsity):g}")
    return float(sparsity)


def _layers_to_prune(count: int, keep) -> list[int]:
    """Indices of the Linear layers that keep does not name, in order."""
    indices = (keep,) if isinstance(keep, numbers.Integral) else keep
    if isinstance(indices, str) or not isinstance(indices, Iterable):
        raise TypeError(f"keep must be a sequence of integers, got {type(keep).__name__}")
    protected = set()
    for index in indices:
        if isinstance(index, (bool, np.bool_)) or not isinstance(index, numbers.Integral):
            raise TypeError(f"keep must hold integers, got {type(index).__name__}")
        if not -count <= index < count:
            raise ArgumentError(f"keep must hold indices of the model's {count} Linear layers, got {index}")
        protected.add(int(index) % count)
    remaining = [index for index in range(count) if index not in protected]
    if not remaining:
        raise ArgumentError(f"keep must leave a Linear layer to prune, got all {count}")
    return remaining


def _check_importances(importances, linears: tuple[Linear, ...], pruned: list[int]) -> list[np.ndarray]:
    """The importances (stored weights,) of the layers being pruned, or an error that says what is wrong."""
    if not isinstance(importances, (list, tuple)) or len(importances) != len(linears):
        came = f"{len(importances)}" if isinstance(importances, (list, tuple)) else type(importances).__name__
        raise ArgumentError(f"criterion must return a list of {len(linears)} arrays, got {came}")
    checked = []
    for index in pruned:
        wanted = np.shape(stored_values(linears[index].weight))
        values = np.asarray(importances[index])
        if values.dtype.kind not in "biuf":
            raise TypeError(f"criterion must return numbers, got {values.dtype} for Linear layer {index}")
        if values.shape != wanted:
            raise ArgumentError(
                f"criterion must return shape {wanted} for Linear layer {index}, got {values.shape}"
            )
        if np.isnan(values).any():
            raise ArgumentError(f"criterion must return no NaN, got some for Linear layer {index}")
        checked.append(values.astype(np.result_type(values, np.float32)))
    return checked
