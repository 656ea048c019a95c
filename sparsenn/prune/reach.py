"""Whether a pruned model still lets its inputs reach its outputs."""

from __future__ import annotations

import math
import warnings

import numpy as np

from ..errors import ArgumentError, UnsupportedError
from ..graph.value import Value
from ..graph.walk import walk
from ..layers import Linear
from ..model import Model

_NAMED = 8  # outputs in a message
_TRIED = (32, 64, 1, 128, 256, 512, 1024, 4096, 16384)  # sizes


def warn_of_cuts(before: Model, after: Model, *, stacklevel: int) -> None:
    """One warning that names the layers that pruning emptied and the outputs that it made constant."""
    emptied = [
        f"Linear layer {index} ({layer.shape[0]} x {layer.shape[1]}) has no weights left"
        for index, (layer, old) in enumerate(zip(after.linear_layers, before.linear_layers, strict=True))
        if not _values(layer).any() and _values(old).any()
    ]
    reached, left = reached_outputs(before), reached_outputs(after)
    lost = {name: np.flatnonzero(mask & ~left[name]) for name, mask in reached.items()}
    if any(found.size for found in lost.values()):
        if all(found.size == reached[name].size for name, found in lost.items()):
            emptied.append("no output depends on the inputs any more")
        else:
            several = len(lost) > 1
            emptied += [_name(found, name if several else None) for name, found in lost.items() if found.size]
    if emptied:
        warnings.warn(f"pruned too far: {'; '.join(emptied)}", stacklevel=stacklevel + 1)


def _name(lost: np.ndarray, output: str | None) -> str:
    """What is lost of an output, which has a name where there are several."""
    of = "" if output is None else f" of {output!r}"
    if lost.size == 1:
        return f"output {lost[0]}{of} does not depend on the inputs any more"
    names = ", ".join(map(str, lost[:_NAMED].tolist())) + (", ..." if lost.size > _NAMED else "")
    return f"outputs {names}{of} do not depend on the inputs any more"


def reached_outputs(model: Model) -> dict[str, np.ndarray]:
    """For each output a mask (values,) of those to which weights other than zero lead from some input.

    A dim that is known only when it runs counts as 1, whatever place along it is reached. Of a model
    that takes none of the sizes that are tried all are.
    """
    fixed = _of_some_size(model)
    if fixed is None:
        return {value.name: np.ones(_size(value), bool) for value in model.output_values}
    start = {value: np.ones((*value.dims[1:], 1), bool) for value in fixed.input_values}
    carried = walk(
        fixed,
        start,
        lambda node, masks: node.layer.depends(*masks),
        constant=lambda constant: np.zeros_like(constant.column(bool)),
    )
    masks = {value.name: carried[value] for value in fixed.output_values}
    for value in model.output_values:
        free = tuple(axis for axis, dim in enumerate(value.dims[1:]) if dim is None)
        masks[value.name] = masks[value.name].any(axis=free).reshape(-1)
    return masks


def _of_some_size(model: Model) -> Model | None:
    """The model with numbers for dims that are known only when it runs; itself where there are none."""
    if not any(None in value.dims[1:] for value in model.input_values):
        return model
    for size in _TRIED:
        dims = (
            (None, *(size if dim is None else dim for dim in value.dims[1:])) for value in model.input_values
        )
        try:
            return model.with_dims(list(dims))
        except (ArgumentError, UnsupportedError):
            continue
    return None


def _size(value: Value) -> int:
    return math.prod(1 if dim is None else dim for dim in value.dims[1:])


def _values(layer: Linear) -> np.ndarray:
    return layer.weight.data if layer.sparse else layer.weight
