"""The last check of an import: the model must give what its source gives."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from ..errors import UnsupportedError
from ..model import Model
from ..reference import reference_with_bound

EPS = float(np.finfo(np.float32).eps)
# Sources add up in another order and normalise after the product, not before: this many times the bound.
SPARE = 16.0
LARGEST_TRUSTED = 1e30  # sums of larger values may leave the floats in one order and not in another


def samples(inputs: int) -> np.ndarray:
    """Inputs to compare with, (5, inputs) float32: zeros, small, ordinary and large values."""
    x = np.random.default_rng(0).standard_normal((5, inputs), dtype=np.float32)
    return x * np.array([[0], [0.1], [1], [1], [8]], np.float32)


def agrees(model: Model, x: np.ndarray, got, *, eps: float = EPS) -> bool:
    """Whether got, which a source gave for x (batch, inputs), is what the model computes.

    eps     the unit of rounding of the source
    """
    exact, bound = reference_with_bound(model, x)
    got = np.asarray(got, np.float64)
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
    x = samples(model.inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the source, about such inputs
        got = run(x)
    if not agrees(model, x, got, eps=eps):
        raise disagreement(name)


def disagreement(name: str) -> UnsupportedError:
    return UnsupportedError(
        f"{name} computes something else than its layers say: its own outputs differ from the imported ones"
    )
