"""The last check of an import: the model must give what its source gives."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from ..errors import UnsupportedError
from ..model import Model
from ..reference import reference_with_bound

EPS = float(np.finfo(np.float32).eps)
# Sources add up in another order and normalise after the product, not before: this many times the bound.
SPARE = 16.0
MOST_VALUES = 20_000  # of a sample, for which five are taken
LARGEST_TRUSTED = 1e30  # sums of larger values may leave the floats in one order and not in another


def samples(*sizes: Sequence[int]) -> list[np.ndarray]:
    """Inputs to compare with, each (5, *sizes) float32: zeros, small, ordinary and large values.

    Of large samples, as images are, one of ordinary values: the float64 pass takes its time.
    """
    rng = np.random.default_rng(0)
    small = sum(math.prod(shape) for shape in sizes) < MOST_VALUES
    factors = np.array([0, 0.1, 1, 1, 8] if small else [1], np.float32)
    return [
        rng.standard_normal((len(factors), *shape), dtype=np.float32)
        * factors.reshape(-1, *(1 for _ in shape))
        for shape in sizes
    ]


def agrees(model: Model, x: Sequence[np.ndarray], got: Sequence, *, eps: float = EPS) -> bool:
    """Whether got, which a source gave for x, is what the model computes: an array for each input and output.

    A model of (batch, features) takes the features of a sample row by row.
    eps     the unit of rounding of the source
    """
    given = {
        value.name: array.reshape(len(array), *value.dims[1:])
        for value, array in zip(model.input_values, x, strict=True)
    }
    computed = reference_with_bound(model, given if len(given) > 1 else next(iter(given.values())))
    names = [value.name for value in model.output_values]
    if len(got) != len(names):
        return False
    for name, array in zip(names, got, strict=True):
        exact, bound = (part[name] if isinstance(part, dict) else part for part in computed)
        if not _is_near(np.asarray(array, np.float64), exact, bound, eps):
            return False
    return True


def _is_near(got: np.ndarray, exact: np.ndarray, bound: np.ndarray, eps: float) -> bool:
    if got.shape != exact.shape:
        return False
    trusted = (np.abs(exact) < LARGEST_TRUSTED) & (bound < LARGEST_TRUSTED)
    if eps > EPS:  # short floats overflow where float32 does not
        trusted &= np.isfinite(got)
    allowed = SPARE * max(eps / EPS, 1.0) * bound
    return bool((np.abs(got - exact) <= allowed)[trusted].all())


def check_agreement(
    model: Model, run: Callable[[np.ndarray], np.ndarray], *, name: str, eps: float = EPS
) -> None:
    """UnsupportedError, with the name, where run, the source's own forward pass, differs from the model.

    run     x (batch, inputs) float32 -> (batch, outputs); what it raises is raised
    """
    (x,) = samples((model.inputs,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the source, about such inputs
        got = run(x)
    if not agrees(model, [x], [got], eps=eps):
        raise disagreement(name)


def disagreement(name: str) -> UnsupportedError:
    return UnsupportedError(
        f"{name} computes something else than its layers say: its own outputs differ from the imported ones"
    )
