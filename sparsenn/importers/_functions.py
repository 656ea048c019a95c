"""Functions of one tensor: activations with limits and slopes, softmax, reductions, normalisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..layers import (
    ELU,
    GELU,
    Abs,
    AxisSoftmax,
    ClippedReLU,
    Div,
    GELUTanh,
    HardSigmoid,
    LeakyReLU,
    LogSoftmax,
    Max,
    PReLU,
    ReLU,
    Softmax,
    Softplus,
)
from ..layers.reduce import Reduce
from ._arithmetic import against, paired, plus, scaled
from ._data import At, Data, learn
from ._moves import squeezed
from ._named import batch_norm

LARGEST = float(np.finfo(np.float32).max)


def clipped(data: Data, low: float | None, high: float | None, at: At) -> Data:
    """min(max(x, low), high), either of them None for no limit."""
    low = -LARGEST if low is None else max(float(low), -LARGEST)
    high = LARGEST if high is None else min(float(high), LARGEST)
    if (low, high) == (-LARGEST, LARGEST):
        return data
    if not low < high:
        raise at.fail(f"have a lower limit below the upper one, got {low} and {high}")
    return data.then(ReLU() if (low, high) == (0.0, LARGEST) else ClippedReLU(low=low, high=high))


def leaky_relu(data: Data, slope: float, at: At) -> Data:
    if not math.isfinite(slope):
        raise at.fail(f"have a finite slope, got {slope:g}")
    return data.then(LeakyReLU(float(slope)))


def elu(data: Data, alpha: float, at: At) -> Data:
    if not 0 < alpha < math.inf:
        raise at.fail(f"have a finite alpha above 0, got {alpha:g}")
    return data.then(ELU(alpha=float(alpha)))


def celu(data: Data, alpha: float, at: At) -> Data:
    """x for x > 0, else alpha (exp(x / alpha) - 1)."""
    if not 0 < alpha < math.inf:
        raise at.fail(f"have a finite alpha above 0, got {alpha:g}")
    return scaled(scaled(data, 1 / alpha, at).then(ELU()), alpha, at)


def selu(data: Data, alpha: float, gamma: float, at: At) -> Data:
    """gamma times an ELU. Source: Klambauer et al. 2017, arXiv:1706.02515."""
    return scaled(elu(data, alpha, at), gamma, at)


def hard_sigmoid(data: Data, alpha: float, beta: float, at: At) -> Data:
    if not 0 < alpha < math.inf or not math.isfinite(beta):
        raise at.fail(f"have a finite alpha above 0 and a finite beta, got {alpha:g} and {beta:g}")
    return data.then(HardSigmoid(float(alpha), float(beta)))


def softplus(data: Data, beta: float, threshold: float, at: At) -> Data:
    """log(1 + exp(beta x)) / beta, or x where beta x is above the threshold, which must change nothing."""
    if not (0 < beta < math.inf and threshold >= 15):
        raise at.fail(
            f"have a finite beta above 0 and a threshold of at least 15, got {beta:g} and {threshold:g}"
        )
    return scaled(scaled(data, beta, at).then(Softplus()), 1 / beta, at)


def log_sigmoid(data: Data, at: At) -> Data:
    return scaled(scaled(data, -1, at).then(Softplus()), -1, at)


def softsign(data: Data, at: At) -> Data:
    """x / (1 + |x|)."""
    return paired(Div(), data, plus(data.then(Abs()), np.ones(1), at), at)


def threshold(data: Data, limit: float, value: float, at: At) -> Data:
    """x above the limit, else the value: where that is the limit, the larger of both."""
    if limit != value or not math.isfinite(limit):
        raise at.fail(f"have a value that is its threshold, got {value:g} and {limit:g}")
    return data.then(ReLU()) if limit == 0 else against(Max(), data, np.array([float(limit)]), at)


def prelu(data: Data, slopes: Data | np.ndarray, at: At) -> Data:
    """x for x > 0, else a slope times x; the slopes are broadcast against data."""
    if isinstance(slopes, Data):
        return paired(PReLU(), data, slopes, at)
    if slopes.dtype.kind != "f":
        raise at.bad(f"have slopes that are floats, got {slopes.dtype}")
    if slopes.size == 1:
        return leaky_relu(data, float(slopes.reshape(())), at)
    return against(PReLU(), data, slopes, at)


def prelu_of_channels(data: Data, slopes: np.ndarray, at: At) -> Data:
    """One slope, or one a channel, which is the dimension after the batch."""
    if data.axis != 0:
        raise at.fail_batch("have the batch in dimension 0")
    if slopes.ndim != 1:
        raise at.bad(f"have a vector of slopes, got shape {slopes.shape}")
    return prelu(data, slopes.reshape(-1, *(1 for _ in data.sizes[1:])), at)


def gelu(data: Data, approximate: str, at: At) -> Data:
    """The exact form, or x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    if approximate == "none":
        return data.then(GELU())
    if approximate != "tanh":
        raise at.fail(f"be exact or approximated by tanh, got {approximate!r}")
    return data.then(GELUTanh())


def softmax(data: Data, axis: int, at: At) -> Data:
    """Over an axis behind the batch."""
    place = data.place(axis, at)
    return data.then(Softmax() if len(data.sizes) == 1 else AxisSoftmax(place + 1))


def log_softmax(data: Data, axis: int, at: At) -> Data:
    """The logarithm of softmax over an axis behind the batch."""
    return data.then(LogSoftmax(data.place(axis, at) + 1))


def reduced(data: Data, kind: type[Reduce], axes: Sequence[int], keep: bool, at: At) -> Data:
    """The sum, mean, largest or smallest value along axes, which stay as dimensions of 1 where keep."""
    places = sorted({data.place(axis, at) for axis in axes})
    result = data
    for first, last in runs(places):  # axes of a layer stand next to each other
        sizes = tuple(1 if first <= place <= last else size for place, size in enumerate(result.sizes))
        result = result.then(kind(tuple(range(first + 1, last + 2))), sizes=sizes)
    return result if keep else squeezed(result, axes, at)


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The first and the last of each run of sorted numbers that follow each other."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def normalised(
    data: Data, mean, variance, gain, offset, *, epsilon: float, at: At, momentum: float | None = 0.1
) -> Data:
    """Batch normalisation of inference, over the channels in the dimension after the batch."""
    if data.axis != 0:
        raise at.fail_batch("have the batch in dimension 0")
    scale = batch_norm(mean, variance, gain, offset, epsilon=epsilon, name=at.name, momentum=momentum)
    if not data.sizes:
        raise at.fail(f"take (batch, channels, ...), got {data}")
    if data.sizes[0] is None:
        learn(data, scale.scale.size)
    if data.sizes[0] not in (None, scale.scale.size):
        raise at.bad(f"have {data.sizes[0]} channels, got {scale.scale.size}")
    channels = (-1, *(1 for _ in data.sizes[1:]))
    along = {"scale": scale.scale.reshape(channels), "shift": scale.shift.reshape(channels)}
    return data.then(replace(scale, **along))
