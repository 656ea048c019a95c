"""Random networks and the bound that a compiled plan must keep, for the tests of importers and exporters."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from op_cases import POINTWISE

import sparsenn as snn
from sparsenn.reference import reference_with_bound

ACTIVATIONS = tuple(layer for cases in POINTWISE.values() for layer in cases.layers)


def random_model(rng: np.random.Generator, *, widest: int = 40, sparse: bool = True) -> snn.Model:
    """One to three layers of random widths, some of them CSR or without bias, and maybe a Softmax."""
    layers: list = []
    width = int(rng.integers(1, widest))
    for _ in range(rng.integers(1, 4)):
        rows = int(rng.integers(1, widest))
        weight = rng.standard_normal((rows, width), dtype=np.float32)
        if sparse and rng.random() < 0.5:
            weight *= rng.random(weight.shape) < 0.15
        layer = snn.Linear(weight, rng.standard_normal(rows) if rng.random() < 0.7 else None)
        layers.append(snn.prune(snn.Model([layer]), sparsity=0).layers[0] if rng.random() < 0.3 else layer)
        if rng.random() < 0.8:
            layers.append(ACTIVATIONS[rng.integers(len(ACTIVATIONS))])
        width = rows
    if rng.random() < 0.3:
        layers.append(snn.Softmax())
    return snn.Model(layers)


def assert_near(model: snn.Model, x, exact, *, own_bound=0.0) -> None:
    """The plan of model agrees with exact on x.

    Both are within reference_with_bound of the float64 forward pass; weights that were computed in float64
    and rounded once add eps (|W| |x| + |b|), less than the bound again. own_bound is that of exact itself,
    where it is not exact.
    """
    x = np.asarray(x, np.float32)
    _, bound = reference_with_bound(model, x)
    got = snn.compile(model, tune="off").run(x)
    excess = np.abs(got.astype(np.float64) - np.asarray(exact, np.float64)) - (2 * bound + own_bound)
    assert got.shape == np.shape(exact)
    assert not (excess > 0).any(), f"over the bound by {excess.max():g}: {model!r}"


def assert_same_weights(first: snn.Model, second: snn.Model) -> None:
    """Both have the same layers, with the same bits; CSR or dense does not matter."""
    linear = [model.linear_layers for model in (first, second)]
    assert len(linear[0]) == len(linear[1])
    for a, b in zip(*linear, strict=True):
        np.testing.assert_array_equal(dense(a), dense(b))
        biases = [np.zeros(x.shape[0], np.float32) if x.bias is None else x.bias for x in (a, b)]
        np.testing.assert_array_equal(*biases)
    others = [[x for x in model.layers if not isinstance(x, snn.Linear)] for model in (first, second)]
    assert [_with_attributes(x) for x in others[0]] == [_with_attributes(x) for x in others[1]]


def _with_attributes(layer) -> tuple:
    """Its type, and what files and frameworks keep of its numbers: float32."""
    return type(layer), *(np.float32(getattr(layer, name)) for name in getattr(layer, "attributes", ()))


def dense(layer: snn.Linear) -> np.ndarray:
    """The weight (out, in) as an ndarray."""
    return layer.weight.toarray() if layer.sparse else layer.weight


def calls_of(function: Callable[[], object]) -> int:
    """How many calls of functions a call makes: what grows with the square of something shows in it."""
    found = 0

    def note(*_):
        nonlocal found
        found += 1

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return found
