"""The slow, obvious forward pass: what every kernel is tested against."""

from __future__ import annotations

import numpy as np

from .checks import as_numbers
from .errors import ArgumentError


def as_batch(x, *, inputs: int, dtype=np.float32, name: str = "x", any_order: bool = False) -> np.ndarray:
    """x as (batch, inputs) of dtype, C-contiguous; a batch of 0 is allowed. No copy where it already is.

    With any_order an F-contiguous array of dtype is not copied either. x is anything that numpy takes as an
    array, or that offers DLPack.
    """
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        x = np.from_dlpack(x)
    array = as_numbers(x, name)
    if array.ndim == 1:
        raise ArgumentError(
            f"{name} must have shape (batch, {inputs}), got {array.shape}: one sample is {name}[None, :]"
        )
    if array.ndim != 2 or array.shape[1] != inputs:
        raise ArgumentError(f"{name} must have shape (batch, {inputs}), got {array.shape}")
    if any_order and array.dtype == dtype and array.flags.f_contiguous:
        return array
    return np.ascontiguousarray(array, dtype)


def reference(model, x, *, dtype=np.float64) -> np.ndarray:
    """x (batch, inputs) -> (batch, outputs), every step in dtype, by numpy and scipy."""
    a = as_batch(x, inputs=model.inputs, dtype=dtype).T  # (features, batch)
    for layer in model.layers:
        a = layer.value(a)
    return np.ascontiguousarray(a.T)


def reference_with_bound(model, x) -> tuple[np.ndarray, np.ndarray]:
    """The float64 forward pass and how far any float32 one may be from it.

    x (batch, inputs) -> y and bound, both (batch, outputs) float64. An error that enters a layer leaves it as
    large as that layer's own bound says.
    """
    z = as_batch(x, inputs=model.inputs, dtype=np.float32).astype(np.float64).T
    bound = np.zeros_like(z)
    for layer in model.layers:
        a = layer.value(z)
        z, bound = a, layer.bound(z, a, bound)
    return np.ascontiguousarray(z.T), np.ascontiguousarray(bound.T)
