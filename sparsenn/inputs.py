"""What a model is given: arrays of samples, checked against the dims of its inputs; the type of outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .checks import as_numbers
from .errors import ArgumentError

Port = tuple[str, Sequence]  # name and dims of an input, without the batch; None where one is dynamic
# An array where there is one output, else a dict of name to array: Any lets type checkers take it as either.
Outputs = np.ndarray | Any


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


def as_arrays(ports: Sequence[Port], x, dtype=np.float32) -> list[np.ndarray]:
    """An array (batch, ...) for each input, C-contiguous and of dtype.

    x  an array where there is one input, else a dict of name to array
    """
    if len(ports) == 1:
        return [_as_samples(x, ports[0][1], dtype, "x")]
    names = [name for name, _ in ports]
    if not isinstance(x, Mapping) or set(x) != set(names):
        got = f"{sorted(map(str, x))}" if isinstance(x, Mapping) else type(x).__name__
        raise ArgumentError(f"x must be a dict with an array for each of the inputs {names}, got {got}")
    arrays = [_as_samples(x[name], dims, dtype, f"x[{name!r}]") for name, dims in ports]
    batches = {name: array.shape[0] for name, array in zip(names, arrays, strict=True)}
    if len(set(batches.values())) > 1:
        raise ArgumentError(f"x must hold as many samples for each input, got {batches}")
    return arrays


def _as_samples(x, dims: Sequence, dtype, name: str) -> np.ndarray:
    if len(dims) == 1 and dims[0] is not None:
        return as_batch(x, inputs=dims[0], dtype=dtype, name=name)
    array = _as_array(x, name)
    fits = array.ndim == len(dims) + 1 and all(
        want is None or want == got for want, got in zip(dims, array.shape[1:], strict=True)
    )
    if not fits:
        wanted = ", ".join(("batch", *("any" if dim is None else str(dim) for dim in dims)))
        raise ArgumentError(f"{name} must have shape ({wanted}), got {array.shape}")
    return np.ascontiguousarray(array, dtype)


def _as_array(x, name: str) -> np.ndarray:
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        x = np.from_dlpack(x)
    return as_numbers(x, name)
