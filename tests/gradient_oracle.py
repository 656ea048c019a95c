"""A float64 oracle for gradients: the loss written out anew, finite differences of it, and an error bound.

A network here is a list of (weight, bias or None, activation name); x is (batch, inputs).
"""

from __future__ import annotations

import numpy as np
from op_cases import OPS

EPS = float(np.finfo(np.float32).eps)

LAYERS = {name: cases.layers[0] for name, cases in OPS.items()}


def activate(name: str, z: np.ndarray) -> np.ndarray:
    """The activation of z (batch, features) by its definition; "none" is none."""
    return z if name == "none" else OPS[name].exact(LAYERS[name], z)


def loss64(network, x, targets, loss: str) -> float:
    """The loss in float64. Cross-entropy takes what the last layer gives as logits."""
    a = x
    for weight, bias, name in network:
        a = activate(name, a @ weight.T + (0 if bias is None else bias))
    if loss == "mse":
        return float(((a - targets) ** 2).mean())
    if loss == "huber":
        d = np.abs(a - targets)
        return float(np.where(d <= 1, d * d / 2, d - 0.5).mean())
    if loss == "binary_cross_entropy":
        p = 1 / (1 + np.exp(-a))
        return float(-(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean())
    return float(np.mean(np.log(np.exp(a).sum(axis=1)) - a[np.arange(len(a)), targets]))


def finite_differences(network, x, targets, loss: str, array: np.ndarray, *, h: float = 1e-5) -> np.ndarray:
    """d loss / d array by central differences; array is one of network's own float64 arrays."""
    slopes = np.empty_like(array)
    for index in np.ndindex(array.shape):
        middle = array[index]
        array[index] = middle + h
        above = loss64(network, x, targets, loss)
        array[index] = middle - h
        slopes[index] = (above - loss64(network, x, targets, loss)) / (2 * h)
        array[index] = middle
    return slopes


def kink_distance(network, x) -> float:
    """How near any pre-activation comes to a kink of its activation."""
    distance, a = np.inf, x
    for weight, bias, name in network:
        z = a @ weight.T + (0 if bias is None else bias)
        for kink in () if name == "none" else OPS[name].kinks:
            distance = min(distance, np.abs(z - kink).min())
        a = activate(name, z)
    return float(distance)


def gradient_bounds(network, x, loss: str, targets) -> list[tuple[np.ndarray, np.ndarray]]:
    """How far float32 back-propagation may be from the exact gradients: (weight, bias) a layer.

    A running error analysis, to first order: beside each float64 quantity runs the error that float32 may
    have made in it. A sum of k products adds (k + 2) eps of the sum of magnitudes; a function passes an error
    on by its slope and adds 8 eps of its value, the error of a good elementary function with room.
    """
    a, a_error, trace = x, np.zeros_like(x), []
    for weight, bias, name in network:
        offset = np.zeros(len(weight)) if bias is None else bias
        z = a @ weight.T + offset
        magnitude = np.abs(a) @ np.abs(weight).T + np.abs(offset)
        z_error = a_error @ np.abs(weight).T + (len(weight.T) + 2) * EPS * magnitude
        trace.append((a, a_error, z, z_error))
        a, a_error = _activation_error(name, z, z_error)
    if loss == "mse":
        back = 2 * (a - targets) / targets.size
        back_error = 2 * (a_error + 3 * EPS * (np.abs(a) + np.abs(targets))) / targets.size
    elif loss == "huber":
        back = np.clip(a - targets, -1, 1) / targets.size
        back_error = (a_error + 3 * EPS * (np.abs(a) + np.abs(targets))) / targets.size
    elif loss == "binary_cross_entropy":
        back = (1 / (1 + np.exp(-a)) - targets) / targets.size
        back_error = (a_error / 4 + 10 * EPS) / targets.size
    else:
        back, back_error = _activation_error("softmax", a, a_error)
        back[np.arange(len(a)), targets] -= 1
        back, back_error = back / len(a), (back_error + 3 * EPS * np.abs(back)) / len(a)
    bounds = []
    for (weight, _, name), (x, x_error, z, z_error) in zip(reversed(network), reversed(trace), strict=True):
        back, back_error = _slope_error(name, z, z_error, back, back_error)
        bounds.append(
            (
                _product_error(back.T, back_error.T, x, x_error),
                back_error.sum(axis=0) + (len(x) + 2) * EPS * np.abs(back).sum(axis=0),
            )
        )
        back_error = _product_error(back, back_error, weight, np.zeros_like(weight))
        back = back @ weight
    return bounds[::-1]


def _product_error(left, left_error, right, right_error) -> np.ndarray:
    """Error of the matrix product left @ right in float32."""
    own = (left.shape[1] + 2) * EPS * np.abs(left) @ np.abs(right)
    return left_error @ np.abs(right) + np.abs(left) @ right_error + own


def _activation_error(name: str, z, z_error) -> tuple[np.ndarray, np.ndarray]:
    """activate(name, z) and its error."""
    a = activate(name, z)
    if name != "softmax":
        return a, np.abs(_slope(name, z)) * z_error + 8 * EPS * np.abs(a)
    # exp(z - max z) has the relative error of its argument; the sum is as wrong as its terms on average.
    relative = z_error + EPS * (z.max(axis=1, keepdims=True) - z)
    return a, a * (relative + (a * relative).sum(axis=1, keepdims=True) + (z.shape[1] + 8) * EPS)


def _slope_error(name: str, z, z_error, back, back_error) -> tuple[np.ndarray, np.ndarray]:
    """back through the activation, and its error."""
    if name != "softmax":
        slope = _slope(name, z)
        own = np.abs(back) * (_curvature(name) * z_error + 8 * EPS)
        return back * slope, back_error * np.abs(slope) + own
    a, a_error = _activation_error(name, z, z_error)
    centred = back - (a * back).sum(axis=1, keepdims=True)
    magnitude = np.abs(back) + (a * np.abs(back)).sum(axis=1, keepdims=True)
    mean_error = (a_error * np.abs(back) + a * back_error).sum(axis=1, keepdims=True)
    own = (z.shape[1] + 4) * EPS * a * magnitude
    return a * centred, a_error * np.abs(centred) + a * (back_error + mean_error) + own


def _slope(name: str, z) -> np.ndarray:
    """The derivative of an activation that works element by element."""
    return np.ones_like(z) if name == "none" else OPS[name].slope(z)


def _curvature(name: str) -> float:
    return 0.0 if name == "none" else OPS[name].curvature
