"""Whether a pruned model still lets its inputs reach its outputs."""

from __future__ import annotations

import warnings

import numpy as np

from ..graph.walk import walk
from ..layers import Linear
from ..model import Model

_NAMED = 8  # outputs in a message


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

    A dim that is known only when it runs counts as 1.
    """
    start = {
        value: np.ones([1 if dim is None else dim for dim in value.dims[1:]] + [1], bool)
        for value in model.input_values
    }
    carried = walk(
        model,
        start,
        lambda node, masks: node.layer.depends(*masks),
        constant=lambda constant: np.zeros_like(constant.column(bool)),
    )
    return {value.name: carried[value].reshape(-1) for value in model.output_values}


def _values(layer: Linear) -> np.ndarray:
    return layer.weight.data if layer.sparse else layer.weight
