"""Functions of one tensor: activations with limits and slopes, softmax, reductions, normalisation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..layers import ELU, AxisSoftmax, ClippedReLU, LeakyReLU, ReLU, Softmax
from ..layers.reduce import Reduce
from ._data import At, Data, learn
from ._moves import squeezed
from ._named import batch_norm
from ._steps import Scale

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


def softmax(data: Data, axis: int, at: At) -> Data:
    """Over an axis behind the batch."""
    place = data.place(axis, at)
    return data.then(Softmax() if data.rank == 2 else AxisSoftmax(place + 1))


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


def normalised(data: Data, mean, variance, gain, offset, *, epsilon: float, at: At) -> Data:
    """Batch normalisation of inference, over the channels in the dimension after the batch."""
    if data.axis != 0:
        raise at.fail_batch("have the batch in dimension 0")
    scale = batch_norm(mean, variance, gain, offset, epsilon=epsilon, name=at.name)
    if data.sizes[0] is None:
        learn(data, scale.scale.size)
    if data.sizes[0] not in (None, scale.scale.size):
        raise at.bad(f"have {data.sizes[0]} channels, got {scale.scale.size}")
    channels = (-1, *(1 for _ in data.sizes[1:]))
    return data.then(Scale(scale.scale.reshape(channels), scale.shift.reshape(channels), at.name))
