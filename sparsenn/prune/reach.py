"""Whether a pruned model still lets its inputs reach its outputs."""

from __future__ import annotations

import warnings

import numpy as np

from ..layers import Linear, Softmax
from ..model import Model

_NAMED = 8  # outputs in a message


def warn_of_cuts(before: Model, after: Model, *, stacklevel: int) -> None:
    """One warning that names the layers that pruning emptied and the outputs that it made constant."""
    emptied = [
        f"Linear layer {index} ({layer.shape[0]} x {layer.shape[1]}) has no weights left"
        for index, (layer, old) in enumerate(zip(after.linear_layers, before.linear_layers, strict=True))
        if not _values(layer).any() and _values(old).any()
    ]
    lost = np.flatnonzero(reached_outputs(before) & ~reached_outputs(after))
    if lost.size:
        emptied.append(f"{_name(lost, after.outputs)} on the inputs any more")
    if emptied:
        warnings.warn(f"pruned too far: {'; '.join(emptied)}", stacklevel=stacklevel + 1)


def _name(lost: np.ndarray, outputs: int) -> str:
    if lost.size == outputs:
        return "no output depends"
    if lost.size == 1:
        return f"output {lost[0]} does not depend"
    names = ", ".join(map(str, lost[:_NAMED].tolist())) + (", ..." if lost.size > _NAMED else "")
    return f"outputs {names} do not depend"


def reached_outputs(model: Model) -> np.ndarray:
    """Mask (outputs,) of the outputs to which weights other than zero lead from some input."""
    reached = np.ones(model.inputs, bool)
    for layer in model.layers:
        if isinstance(layer, Linear):
            reached = _spread(layer, reached)
        elif isinstance(layer, Softmax):
            reached = np.full(reached.size, reached.any())
    return reached


def _spread(layer: Linear, reached: np.ndarray) -> np.ndarray:
    """The mask behind the layer (out,), of that before it (in,)."""
    weight = layer.weight
    if not layer.sparse:
        return (weight[:, reached] != 0).any(axis=1)
    used = (weight.data != 0) & reached[weight.indices]
    rows = np.repeat(np.arange(weight.shape[0]), np.diff(weight.indptr))
    return np.bincount(rows[used], minlength=weight.shape[0]) > 0


def _values(layer: Linear) -> np.ndarray:
    return layer.weight.data if layer.sparse else layer.weight
