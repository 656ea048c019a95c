"""Checks of arguments. Each error names the argument, what came and what was wanted."""

from __future__ import annotations

import math
import numbers

import numpy as np
import scipy

from .errors import ArgumentError


def check_integer(name: str, value, *, minimum: int, maximum: int | None = None) -> int:
    """value as an int that is at least minimum, and at most maximum."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    if value < minimum:
        raise ArgumentError(f"{name} must be at least {minimum}, got {value}")
    if maximum is not None and value > maximum:
        raise ArgumentError(f"{name} must be at most {maximum}, got {value}")
    return int(value)


def check_real(
    name: str, value, *, minimum: float = 0.0, below: float = math.inf, open_minimum: bool = False
) -> float:
    """value as a finite float in [minimum, below), or (minimum, below) with open_minimum."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    value = as_float(value)
    if not minimum <= value < below or (open_minimum and value == minimum):
        interval = f"{'(' if open_minimum else '['}{minimum:g}, {below:g})"
        raise ArgumentError(f"{name} must be in {interval}, got {value:g}")
    return value


def check_float32(name: str, value, *, minimum: float = 0.0) -> float:
    """value as a float that float32 holds, from minimum on; raises where it would become infinite."""
    with np.errstate(over="ignore"):
        single = float(np.float32(check_real(name, value, minimum=minimum)))
    if math.isinf(single):
        raise ArgumentError(f"{name} must be finite as float32, got {as_float(value):g}")
    return single


def as_float(value: numbers.Real) -> float:
    """value as a float; infinite where it is a whole number that no float holds."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def check_flag(name: str, value) -> bool:
    """value, which must be True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {type(value).__name__}")
    return bool(value)


def as_numbers(values, name: str) -> np.ndarray:
    """values as an array of booleans, integers or reals; TypeError for anything else."""
    if scipy.sparse.issparse(values):
        raise TypeError(f"{name} must be a dense array, got a scipy sparse {type(values).__name__}")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ArgumentError(f"{name} must be an array of numbers, got rows of different lengths") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    return array


def check_finite(array: np.ndarray, name: str) -> None:
    """Raises at the first NaN or infinity."""
    if array.dtype.kind == "f":
        finite = np.isfinite(array)
        if not finite.all():
            place = np.unravel_index(int(finite.argmin()), array.shape)
            index = ", ".join(str(int(i)) for i in place)
            raise ArgumentError(f"{name} must be finite, got {array[place]} at [{index}]")


def as_float32(values, name: str) -> np.ndarray:
    """A C-contiguous copy of numbers as float32; raises at the first that is finite only before."""
    with np.errstate(over="ignore"):
        array = np.array(values, np.float32, order="C")
    values = np.asarray(values)
    if values.dtype != np.float32 and (lost := np.isinf(array) & np.isfinite(values)).any():
        place = np.unravel_index(int(lost.argmax()), array.shape)
        index = ", ".join(str(int(i)) for i in place)
        raise ArgumentError(f"{name} must be finite as float32, got {values[place]:g} at [{index}]")
    return array


def as_features(X, *, inputs: int, name: str = "X") -> np.ndarray:
    """X as (n, inputs) float32, C-contiguous, finite, n >= 1. No copy where it already is."""
    return as_samples(X, (inputs,), name)


def as_samples(X, dims: tuple[int, ...], name: str) -> np.ndarray:
    """X as (n, *dims) float32, C-contiguous, finite, n >= 1. No copy where it already is."""
    array = as_numbers(X, name)
    if array.ndim != len(dims) + 1 or array.shape[1:] != dims:
        raise ArgumentError(f"{name} must have shape (n, {', '.join(map(str, dims))}), got {array.shape}")
    if array.shape[0] == 0:
        raise ArgumentError(f"{name} must hold at least one sample, got shape {array.shape}")
    with np.errstate(over="ignore"):
        features = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(features).all():
        check_finite(array, name)
        check_finite(features, f"{name} as float32")
    return features


def check_sample_weight(
    sample_weight, samples: int, name: str = "sample_weight", *, steps: int | None = None
) -> np.ndarray:
    """sample_weight as (samples,), or (samples, steps), float64, finite, none negative and not all 0."""
    weights = as_numbers(sample_weight, name).astype(np.float64)
    if weights.shape not in ((samples,), (samples, steps)):
        wanted = f"({samples},)" if steps is None else f"({samples},) or ({samples}, {steps})"
        raise ArgumentError(f"{name} must have shape {wanted}, got {weights.shape}")
    check_finite(weights, name)
    if (weights < 0).any():
        at = ", ".join(str(int(i)) for i in np.unravel_index(int(weights.argmin()), weights.shape))
        raise ArgumentError(f"{name} must not be negative, got {weights.min():g} at [{at}]")
    if not weights.any():
        raise ArgumentError(f"{name} must be positive for some sample, got 0 for every one")
    return weights


def check_same_length(features: np.ndarray, targets: np.ndarray, names: tuple[str, str]) -> None:
    """Raises unless both hold as many samples."""
    if len(features) != len(targets):
        raise ArgumentError(
            f"{names[1]} must hold as many samples as {names[0]} ({len(features)}), got {len(targets)}"
        )
