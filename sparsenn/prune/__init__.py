"""Pruning: a new model with the least important weights, blocks or neurons gone.

    criteria/*.py  ->  importance of each weight  ->  structures/*.py, selection.py  ->  a new Model
    schedules/*.py ->  iterative.py: prune and fine-tune, step by step

A criterion, a structure or a schedule is one file in its folder, found by its name; see the folder's
__init__.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ..checks import check_flag, check_integer
from ..errors import ArgumentError
from ..layers import Linear
from ..model import Model
from .amount import check_amount, check_keep, layers_to_prune
from .criteria import criteria, find_criterion
from .csr import stored_values
from .lamp import lamp_score
from .masked_movement import MaskedMovement
from .movement import RecordMovement
from .neurons import drop_dead_neurons
from .reach import warn_of_cuts
from .recorder import RecordRange
from .structures import find_structure, structures
from .structures._request import Request

__all__ = [
    "MaskedMovement",
    "RecordMovement",
    "RecordRange",
    "criteria",
    "drop_dead_neurons",
    "prune",
    "structures",
]

Criterion = Callable[[Model, object], list]


def prune(
    model: Model,
    *,
    sparsity: float | Mapping[int, float] | None = None,
    threshold: float | None = None,
    percentile: float | None = None,
    criterion: str | Criterion = "magnitude",
    scope: str = "global",
    normalize: str | None = None,
    structure: str = "weight",
    block: tuple[int, ...] = (16, 1),
    nm: tuple[int, int] = (2, 4),
    keep: int | Iterable[int] = (),
    data=None,
    drop_dead: bool = False,
) -> Model:
    """A new Model whose least important weights are removed; model itself is left as it is.

    How much: one of the first three; 90 % sparsity where none is given.
    sparsity   share of zeros in [0, 1) among the weights of the layers being pruned, met to within one
               weight, block or neuron. Zeros that are there already, stored or left out of a CSR layer,
               count and go first. Nothing grows back: what is sparser than asked for stays at its own
               sparsity. A dict gives each layer its own, by its index among the Linear layers; layers that
               it does not name are kept.
    threshold  what has a smaller importance goes, whatever share that is; so do zeros
    percentile in [0, 100]: the threshold is that percentile of the importances of what is not zero

    What goes first:
    criterion  a name from criteria(), or a function (model, data) -> list with one array a Linear layer,
               larger = more important: (out, in) for a dense layer, (nnz,) in storage order for a CSR layer;
               None is allowed for a kept layer
    scope      "global": one ranking over all layers; "layer": each layer gets this sparsity or percentile
    normalize  "lamp" makes the magnitudes of different layers comparable (Lee et al. 2021); only with the
               criterion magnitude and the scope global
    data       handed to the criterion: (X, y), or (X, y, loss) with the name of a loss, for gradient, taylor
               and hessian; X or (X, y) for contribution. With the structure "neuron" it is X or starts with X
               for every criterion: what is removed gave the layers behind it is averaged over it.

    In which form:
    structure  a name from structures(): "weight": single weights; "block": whole blocks of weights;
               "n:m": n of every m inputs of a neuron stay, which fixes the sparsity; "neuron" or "channel",
               which is the same: hidden neurons and channels are removed, the layers shrink, and sparsity is
               the share of those that go; what can only go together, as channels that an Add ties, counts
               once, and a sparsity by layer goes for all layers that it ties
    block      rows and inputs of a block; both must divide every weight being pruned. Inputs of a convolution
               are its channels, at one place of the window each; (rows, channels, height, width) are blocks
               over a part of the window: (1, 1, 3, 3) whole 3 x 3 kernels
    nm         n and m of "n:m"; m must divide the inputs (features or channels) of every layer being pruned
    keep       indices into the list of the Linear layers, negative ones from the end: keep=(-1,) protects the
               last Linear. A kept layer is copied as it is and does not count in the sparsity.
    drop_dead  True: hidden neurons and channels left without inputs or without outputs are removed as well,
               so layers shrink (drop_dead_neurons); the output stays the same

    Pruned layers come out as csr_array float32 with sorted int32 indices, dense ones at sparsity 0 included;
    with "neuron" each layer stays as it was, dense or sparse. Equal importances go in order of position
    (layer, row, column), so the same call gives the same model.
    Where rounding would remove every weight, one stays. Warns where a layer is emptied all the same (by the
    scope global, a threshold), or outputs no longer depend on the inputs.
    Raises ValueError or TypeError for bad input.

    >>> import sparsenn as snn
    >>> model = snn.mlp([8, 20, 4], seed=0)
    >>> snn.prune(model, sparsity=0.75).sparsity
    0.75
    >>> [layer.shape for layer in snn.prune(model, sparsity=0.5, structure="neuron").linear_layers]
    [(10, 8), (4, 10)]

    Source (magnitude, global): Han et al. 2015, arXiv:1506.02626
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, got {type(model).__name__}")
    linears = model.linear_layers
    form = find_structure(structure)
    follows = structure if getattr(form, "FIXES_SPARSITY", False) else None
    amount = check_amount(sparsity, threshold, percentile, layers=len(linears), follows=follows)
    if scope not in ("global", "layer"):
        raise ArgumentError(f"scope must be 'global' or 'layer', got {scope!r}")
    pruned = layers_to_prune(len(linears), keep, amount)
    block, nm = _check_integers("block", block, (2, 4)), _check_integers("nm", nm, (2,))
    if nm[0] > nm[1]:
        raise ArgumentError(f"nm must have n <= m, got {nm}")
    _check_normalize(normalize, criterion, scope)
    check_flag("drop_dead", drop_dead)

    rank = criterion if callable(criterion) else find_criterion(criterion)
    importances = _check_importances(rank(model, data), linears, pruned)
    if normalize == "lamp":
        importances = [None if values is None else lamp_score(values) for values in importances]
    result = form.apply(
        Request(
            model=model, layers=pruned, protected=check_keep(len(linears), keep), importances=importances,
            amount=amount, scope=scope, block=block, nm=nm, data=data,
        )
    )  # fmt: skip
    warn_of_cuts(model, result, stacklevel=2)
    return drop_dead_neurons(result) if drop_dead else result


def _check_integers(name: str, value, counts: tuple[int, ...]) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)) or len(value) not in counts:
        wanted = " or ".join({2: "two", 4: "four"}[count] for count in counts)
        raise ArgumentError(f"{name} must be {wanted} integers, got {value!r}")
    return tuple(check_integer(f"{name}[{i}]", number, minimum=1) for i, number in enumerate(value))


def _check_normalize(normalize, criterion, scope: str) -> None:
    if normalize is None:
        return
    if normalize != "lamp":
        raise ArgumentError(f"normalize must be 'lamp' or None, got {normalize!r}")
    if criterion != "magnitude" or scope != "global":
        raise ArgumentError(
            f"normalize 'lamp' needs criterion 'magnitude' and scope 'global', got {criterion!r}, {scope!r}"
        )


def _check_importances(importances, linears: tuple[Linear, ...], pruned: list[int]) -> list:
    """The importances (stored weights,) of every layer, or an error that says what is wrong.

    Those of layers that are not being pruned are checked too where they are not None.
    """
    if not isinstance(importances, (list, tuple)) or len(importances) != len(linears):
        came = f"{len(importances)}" if isinstance(importances, (list, tuple)) else type(importances).__name__
        raise ArgumentError(f"criterion must return a list of {len(linears)} arrays, got {came}")
    checked: list[np.ndarray | None] = []
    for index, layer in enumerate(linears):
        if importances[index] is None and index not in pruned:
            checked.append(None)
            continue
        wanted = np.shape(stored_values(layer.weight))
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
