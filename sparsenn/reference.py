"""The slow, obvious forward pass: what every kernel is tested against."""

from __future__ import annotations

import numpy as np

from .activations import activation_of
from .checks import as_numbers


def as_batch(x, *, inputs: int, dtype=np.float32, name: str = "x", any_order: bool = False) -> np.ndarray:
    """x as (batch, inputs) of dtype, C-contiguous; a batch of 0 is allowed. No copy where it already is.

    With any_order an F-contiguous array of dtype is not copied either. x is anything that numpy takes as an
    array, or that offers DLPack.
    """
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        x = np.from_dlpack(x)
    array = as_numbers(x, name)
    if array.ndim == 1:
        raise ValueError(
            f"{name} must have shape (batch, {inputs}), got {array.shape}: one sample is {name}[None, :]"
        )
    if array.ndim != 2 or array.shape[1] != inputs:
        raise ValueError(f"{name} must have shape (batch, {inputs}), got {array.shape}")
    if any_order and array.dtype == dtype and array.flags.f_contiguous:
        return array
    return np.ascontiguousarray(array, dtype)


def reference(model, x, *, dtype=np.float64) -> np.ndarray:
    """x (batch, inputs) -> (batch, outputs), every step in dtype, by numpy and scipy."""
    a = as_batch(x, inputs=model.inputs, dtype=dtype).T  # (features, batch)
    for layer in model.layers:
        if hasattr(layer, "weight"):
            a = layer.weight.astype(dtype) @ a
            if layer.bias is not None:
                a = a + layer.bias.astype(dtype)[:, None]
        elif a.size:
            a = activation_of(layer).value(a)
    return np.ascontiguousarray(a.T)


def reference_with_bound(model, x) -> tuple[np.ndarray, np.ndarray]:
    """The float64 forward pass and how far any float32 one may be from it.

    x (batch, inputs) -> y and bound, both (batch, outputs) float64. A sum of k products rounds by at most
    (k + 2) eps (|W| |x| + |b|), whatever its order (Higham 2002, ch. 3); an error that enters a layer
    leaves it at most |W| times as large, and an activation no larger than its steepest slope makes it.
    Each activation itself may err by 8 eps of its value.
    """
    eps = float(np.finfo(np.float32).eps)
    tiny = float(np.finfo(np.float32).tiny)
    a = as_batch(x, inputs=model.inputs, dtype=np.float32).astype(np.float64).T
    bound = np.zeros_like(a)
    for layer in model.layers:
        if hasattr(layer, "weight"):
            weight = layer.weight.astype(np.float64)
            magnitude = abs(weight)
            bias = np.zeros(weight.shape[0]) if layer.bias is None else layer.bias.astype(np.float64)
            terms = _terms(layer)[:, None] + 2
            bound = (
                magnitude @ bound + terms * eps * (magnitude @ (abs(a) + bound) + abs(bias)[:, None]) + tiny
            )
            a = weight @ a + bias[:, None]
        elif a.size:
            a = activation_of(layer).value(a)
            bound = _through_activation(layer, a, bound) + 8 * eps * abs(a) + tiny
    return np.ascontiguousarray(a.T), np.ascontiguousarray(bound.T)


def _terms(layer) -> np.ndarray:
    """Products summed in each row of a layer, (out,)."""
    if layer.sparse:
        return np.diff(layer.weight.indptr)
    return np.full(layer.shape[0], layer.shape[1])


def _through_activation(layer, value: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """The bound after an exact activation, from that before it; both (features, batch)."""
    name = type(layer).__name__
    if name == "Softmax":
        # exp(x + e) is exp(x) exp(e), in the numerator and in the sum.
        return value * np.expm1(np.minimum(2 * bound.max(axis=0, keepdims=True), 700.0))
    if name == "ELU":
        return max(1.0, layer.alpha) * bound
    slope = {"Sigmoid": 0.25, "GELU": 1.13}.get(name, 1.0)
    return slope * bound
