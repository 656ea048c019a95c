"""Activations: each value beside its derivative, in numpy, for any float dtype.

Arrays are feature-major: z, a and da are (features, batch), or tiles of that, (tiles, features, samples).
A value function maps z -> a; a gradient function maps (z, a, da) -> dz, where da is the gradient of the loss
with respect to a.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import erfc, expit


@dataclass(frozen=True)
class Activation:
    """One activation: value(z) -> a and gradient(z, a, da) -> dz."""

    value: Callable[[np.ndarray], np.ndarray]
    gradient: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def relu(z: np.ndarray) -> np.ndarray:
    """max(z, 0)."""
    return np.maximum(z, 0)


def relu_gradient(z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
    """da where z > 0, else 0 (0 at the kink)."""
    return da * (a > 0)


def clipped_relu(z: np.ndarray, *, low: float, high: float) -> np.ndarray:
    """min(max(z, low), high)."""
    return np.clip(z, low, high)


def clipped_relu_gradient(
    z: np.ndarray, a: np.ndarray, da: np.ndarray, *, low: float, high: float
) -> np.ndarray:
    """da strictly between low and high, else 0 (0 at both kinks)."""
    return da * ((z > low) & (z < high))


def tanh(z: np.ndarray) -> np.ndarray:
    """Hyperbolic tangent."""
    return np.tanh(z)


def tanh_gradient(z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
    """da (1 - a^2)."""
    return da * (1 - a * a)


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), without overflow."""
    return expit(z)


def sigmoid_gradient(z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
    """da a (1 - a)."""
    return da * (a * (1 - a))


def gelu(z: np.ndarray) -> np.ndarray:
    """z Phi(z), Phi the normal distribution function: the exact form, not the tanh approximation.

    Phi is computed as erfc(-z / sqrt 2) / 2, which keeps its relative accuracy for very negative z.
    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415
    """
    return z * (0.5 * erfc(z * -math.sqrt(0.5)))


def gelu_gradient(z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
    """da (Phi(z) + z phi(z)), phi the normal density."""
    density = np.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))
    return da * (0.5 * erfc(z * -math.sqrt(0.5)) + z * density)


def elu(z: np.ndarray, *, alpha: float) -> np.ndarray:
    """z where z > 0, else alpha (exp(z) - 1).

    Source: Clevert, Unterthiner and Hochreiter 2016, arXiv:1511.07289
    """
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def elu_gradient(z: np.ndarray, a: np.ndarray, da: np.ndarray, *, alpha: float) -> np.ndarray:
    """da where z > 0, else da alpha exp(z), which is da (a + alpha)."""
    return da * np.where(a > 0, 1, a + alpha)


def softmax(z: np.ndarray) -> np.ndarray:
    """exp(z) / sum(exp(z)) over the features of each sample, shifted by the maximum against overflow."""
    a = np.exp(z - z.max(axis=-2, keepdims=True))
    return a / a.sum(axis=-2, keepdims=True)


def softmax_gradient(z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
    """a (da - sum(a da)) per sample."""
    return a * (da - (a * da).sum(axis=-2, keepdims=True))


_PLAIN = {
    "ReLU": Activation(relu, relu_gradient),
    "Tanh": Activation(tanh, tanh_gradient),
    "Sigmoid": Activation(sigmoid, sigmoid_gradient),
    "GELU": Activation(gelu, gelu_gradient),
    "Softmax": Activation(softmax, softmax_gradient),
}


def activation_of(layer: object) -> Activation:
    """The numpy functions of a model's activation layer. TypeError when it is none known here."""
    name = type(layer).__name__
    if name == "ClippedReLU":
        limits = {"low": layer.low, "high": layer.high}
        return Activation(partial(clipped_relu, **limits), partial(clipped_relu_gradient, **limits))
    if name == "ELU":
        alpha = float(layer.alpha)
        return Activation(partial(elu, alpha=alpha), partial(elu_gradient, alpha=alpha))
    if name not in _PLAIN:
        known = ", ".join(sorted([*_PLAIN, "ClippedReLU", "ELU"]))
        raise TypeError(f"layer must be Linear or one of {known}, got {name}")
    return _PLAIN[name]
