"""The float64 forward pass that every runner is checked against, with its own error bound."""

import numpy as np
from scipy.sparse import csr_array

from .baselines.layer import Layer, activate

EPS = float(np.finfo(np.float32).eps)


def forward(layers: list[Layer], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """-> y (batch, outputs) float64 and how far a float32 result may be from it, same shape.

    A product of k terms in any order errs by at most (k + 2) eps (|W||x| + |b|); an error at the input is
    passed on through |W|. The activations have slopes of at most 1; 4 eps is allowed for computing them.
    """
    value = x.T.astype(np.float64)
    bound = np.zeros_like(value)
    for layer in layers:
        weight = layer.weight if not layer.sparse else csr_array(layer.to_csr(), shape=layer.shape)
        weight = weight.astype(np.float64)
        terms = np.diff(layer.indptr) if layer.sparse else np.full(layer.shape[0], layer.shape[1])
        size = abs(weight) @ (np.abs(value) + bound) + np.abs(layer.bias[:, None])
        bound = abs(weight) @ bound + (terms[:, None] + 2) * EPS * size
        value = weight @ value + layer.bias[:, None]
        activate(value, layer.activation)
        bound += 4 * EPS * np.abs(value)
    return value.T, bound.T


def check(name: str, output: np.ndarray, expected: np.ndarray, bound: np.ndarray) -> None:
    """ValueError when output is not expected within bound."""
    if output.shape != expected.shape:
        raise ValueError(f"{name} returned shape {output.shape}, expected {expected.shape}")
    excess = np.abs(output - expected) - bound
    if not np.all(excess <= 0):
        worst = np.unravel_index(np.argmax(np.nan_to_num(excess, nan=np.inf)), excess.shape)
        raise ValueError(f"{name} computed {output[worst]} at {worst}, expected {expected[worst]}")
