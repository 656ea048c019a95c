"""The slow, obvious forward pass: what every kernel is tested against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .checks import as_numbers
from .errors import ArgumentError
from .graph.value import Value
from .graph.walk import walk


def as_batch(x, *, inputs: int, dtype=np.float32, name: str = "x", any_order: bool = False) -> np.ndarray:
    """x as (batch, inputs) of dtype, C-contiguous; a batch of 0 is allowed. No copy where it already is.

    With any_order an F-contiguous array of dtype is not copied either. x is anything that numpy takes as an
    array, or that offers DLPack.
    """
    array = _as_array(x, name)
    if array.ndim == 1:
        raise ArgumentError(
            f"{name} must have shape (batch, {inputs}), got {array.shape}: one sample is {name}[None, :]"
        )
    if array.ndim != 2 or array.shape[1] != inputs:
        raise ArgumentError(f"{name} must have shape (batch, {inputs}), got {array.shape}")
    if any_order and array.dtype == dtype and array.flags.f_contiguous:
        return array
    return np.ascontiguousarray(array, dtype)


def as_inputs(model, x, dtype) -> dict[Value, np.ndarray]:
    """What each input of model is given, of dtype and with the batch as its last axis.

    x  an array where there is one input, else a dict of name to array
    """
    values = model.input_values
    if len(values) == 1:
        return {values[0]: _as_input(x, values[0], dtype, "x")}
    names = [value.name for value in values]
    if not isinstance(x, Mapping) or set(x) != set(names):
        got = f"{sorted(map(str, x))}" if isinstance(x, Mapping) else type(x).__name__
        raise ArgumentError(f"x must be a dict with an array for each of the inputs {names}, got {got}")
    arrays = {value: _as_input(x[value.name], value, dtype, f"x[{value.name!r}]") for value in values}
    batches = {value.name: array.shape[-1] for value, array in arrays.items()}
    if len(set(batches.values())) > 1:
        raise ArgumentError(f"x must hold as many samples for each input, got {batches}")
    return arrays


def _as_input(x, value: Value, dtype, name: str) -> np.ndarray:
    dims = value.dims[1:]
    if len(dims) == 1 and dims[0] is not None:
        return as_batch(x, inputs=dims[0], dtype=dtype, name=name).T
    array = _as_array(x, name)
    fits = array.ndim == len(dims) + 1 and all(
        want is None or want == got for want, got in zip(dims, array.shape[1:], strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if dim is None else str(dim) for dim in dims)
        raise ArgumentError(f"{name} must have shape (batch, {wanted}), got {array.shape}")
    return np.moveaxis(np.ascontiguousarray(array, dtype), 0, -1)


def _as_array(x, name: str) -> np.ndarray:
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        x = np.from_dlpack(x)
    return as_numbers(x, name)


def _results(model, carried: dict[Value, np.ndarray]):
    """The outputs with the batch first: an array where there is one, else a dict of name to array."""
    arrays = {
        value.name: np.ascontiguousarray(np.moveaxis(carried[value], -1, 0)) for value in model.output_values
    }
    return arrays if len(arrays) > 1 else arrays[model.output_values[0].name]


def reference(model, x, *, dtype=np.float64) -> np.ndarray | dict[str, np.ndarray]:
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
