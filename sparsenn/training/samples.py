"""What training is given: samples of every input, with the targets of every output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..checks import as_numbers, as_samples, check_same_length
from ..errors import ArgumentError
from ..graph.value import Value
from ..model import Model


@dataclass(slots=True)
class Samples:
    """Checked arrays, n samples each.

    features  (n, ...) float32 of each input;  targets  (n, ...) of each output, as its loss takes them
    weights   (n,) float64, or None: each counts once
    """

    features: tuple[np.ndarray, ...]
    targets: tuple[np.ndarray, ...]
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.features[0])

    def take(self, part) -> Samples:
        """Those that part, a slice or indices, names."""
        return Samples(
            tuple(array[part] for array in self.features),
            tuple(array[part] for array in self.targets),
            None if self.weights is None else self.weights[part],
        )


def by_name(values: Sequence[Value], given, name: str, what: str) -> list[tuple[str, object]]:
    """(how errors name it, what is given) for each of values: given itself for one, else of a dict.

    what  "inputs" or "outputs"
    """
    if len(values) == 1:
        return [(name, given)]
    names = [value.name for value in values]
    if not isinstance(given, Mapping) or set(given) != set(names):
        got = f"{sorted(map(str, given))}" if isinstance(given, Mapping) else type(given).__name__
        raise ArgumentError(f"{name} must be a dict with one for each of the {what} {names}, got {got}")
    return [(f"{name}[{key!r}]", given[key]) for key in names]


def at_sizes(model: Model, X) -> Model:
    """The model, of dims that are open with the sizes that X has there; layers are shared.

    Where X does not fit it is as it was, and whoever reads X says so.
    """
    values = model.input_values
    if all(None not in value.dims[1:] for value in values):
        return model
    dims = []
    for value, (name, given) in zip(values, by_name(values, X, "X", "inputs"), strict=True):
        shape = as_numbers(given, name).shape
        if len(shape) != len(value.dims):
            wanted = ", ".join("any" if dim is None else str(dim) for dim in value.dims[1:])
            raise ArgumentError(f"{name} must have shape (n, {wanted}), got {shape}")
        sizes = (got if want is None else want for want, got in zip(value.dims[1:], shape[1:], strict=True))
        dims.append((None, *sizes))
    if any(0 in own[1:] for own in dims):
        raise ArgumentError(f"X must hold values, got sizes {[own[1:] for own in dims]}")
    return model.with_dims(dims)


def read_features(values: Sequence[Value], X, name: str) -> tuple[str, tuple[np.ndarray, ...]]:
    """-> (n, ...) float32, finite, n >= 1, for each of the input values, and how errors name the first."""
    if len(values) == 1:
        return name, (as_samples(X, values[0].dims[1:], name),)
    pairs = by_name(values, X, name, "inputs")
    read = [as_samples(given, value.dims[1:], own) for value, (own, given) in zip(values, pairs, strict=True)]
    for (own, _), array in zip(pairs, read, strict=True):
        check_same_length(read[0], array, (pairs[0][0], own))
    return pairs[0][0], tuple(read)
