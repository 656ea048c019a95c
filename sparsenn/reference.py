"""The slow, obvious forward pass: what every kernel is tested against."""

from __future__ import annotations

import numpy as np

from .graph.value import Value
from .graph.walk import walk
from .inputs import Outputs, as_arrays


def as_inputs(model, x, dtype) -> dict[Value, np.ndarray]:
    """What each input of model is given, of dtype and with the batch as its last axis."""
    arrays = as_arrays([(value.name, value.dims[1:]) for value in model.input_values], x, dtype)
    return {value: np.moveaxis(array, 0, -1) for value, array in zip(model.input_values, arrays, strict=True)}


def _results(model, carried: dict[Value, np.ndarray]):
    """The outputs with the batch first: an array where there is one, else a dict of name to array."""
    arrays = {
        value.name: np.ascontiguousarray(np.moveaxis(carried[value], -1, 0)) for value in model.output_values
    }
    return arrays if len(arrays) > 1 else arrays[model.output_values[0].name]


def reference(model, x, *, dtype=np.float64) -> Outputs:
    """x (batch, inputs) -> (batch, outputs), every step in dtype, by numpy and scipy.

    Several inputs are a dict of name to array; so are several outputs.
    """
    carried = walk(
        model,
        as_inputs(model, x, dtype),
        lambda node, operands: node.layer.value(*operands),
        constant=lambda constant: constant.column(dtype),
    )
    return _results(model, carried)


def reference_with_bound(model, x) -> tuple:
    """The float64 forward pass and how far any float32 one may be from it.

    x (batch, inputs) -> y and bound, both (batch, outputs) float64; several of either as reference takes and
    gives them. An error that enters a layer leaves it as large as that layer's own bound says.
    """
    start = {value: _exact(z.astype(np.float64)) for value, z in as_inputs(model, x, np.float32).items()}
    carried = walk(
        model, start, _value_and_bound, constant=lambda constant: _exact(constant.column(np.float64))
    )
    values, bounds = ({value: pair[i] for value, pair in carried.items()} for i in (0, 1))
    return _results(model, values), _results(model, bounds)


def _exact(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return z, np.zeros_like(z)


def _value_and_bound(node, operands: list) -> tuple[np.ndarray, np.ndarray]:
    z, bounds = [pair[0] for pair in operands], [pair[1] for pair in operands]
    a = node.layer.value(*z)
    return a, node.layer.bound(*z, a, *bounds)
