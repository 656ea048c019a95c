"""What computes with tensors: products with weights, sums and products of two, and with constants."""

from __future__ import annotations

import math

import numpy as np

from ..layers import Add, Div, Equal, Less, LessEqual, Max, Min, Mul, Pair, ReLU, Sub
from ._data import At, Data, check_size, learn
from ._moves import alone, unsqueezed
from ._positions import at_positions
from ._steps import Affine, Against, Scale
from ._wires import Sizes, Wire

ONE, ZERO = np.ones(1), np.zeros(1)
PAIRS = {"Add": Add(), "Sub": Sub(), "Mul": Mul(), "Div": Div(), "Min": Min(), "Max": Max()}
PAIRS |= {"Equal": Equal(), "Less": Less(), "LessEqual": LessEqual()}


def product(data: Data, weight, bias, at: At, *, axis: int = 0, result_axis: int = 0) -> Data:
    """weight (out, in) times the features of data, which has its batch in axis; bias (out,) or None."""
    if data.axis is None and data.rank > 1:  # (steps, features) of the one sample
        return at_positions(data, weight, bias, at)
    if len(data.sizes) != 1:
        raise at.fail(f"take (batch, features), got {data}")
    if data.axis != axis:
        raise at.fail_batch(f"have the batch in dimension {axis}")
    if data.features is None:
        learn(data, weight.shape[1])
    if data.features not in (None, weight.shape[1]):
        raise at.bad(f"have a weight for {data.features} features, got {weight.shape[1]}")
    made = data.then(Affine(weight, bias, at.name), sizes=(weight.shape[0],))
    return Data(made.wire, data.batch, result_axis)


def times(data: Data, values: np.ndarray, at: At) -> Data:
    """data times a constant that is broadcast against it."""
    return data.then(Scale(per_sample(values, data, at), ZERO, at.name))


def plus(data: Data, values: np.ndarray, at: At, *, scale: float = 1.0) -> Data:
    """scale data plus a constant that is broadcast against it."""
    return data.then(Scale(ONE if scale == 1 else np.array([scale]), per_sample(values, data, at), at.name))


def scaled(data: Data, factor: float, at: At) -> Data:
    """data times a number."""
    return data if factor == 1 else data.then(Scale(np.array([float(factor)]), ZERO, at.name))


def added(left: Data, right: Data, at: At) -> Data:
    return paired(Add(), left, right, at)


def multiplied(left: Data, right: Data, at: At) -> Data:
    return paired(Mul(), left, right, at)


def against(layer: Pair, data: Data, values: np.ndarray, at: At, *, first: bool = False) -> Data:
    """layer of data and a constant that is broadcast against it; first: the constant comes first."""
    return data.then(Against(layer, per_sample(values, data, at), first, at.name))


def combined(op: str, left, right, at: At) -> Data:
    """One of PAIRS of two tensors, at least one of them Data, the other an ndarray."""
    if isinstance(left, Data) and isinstance(right, Data):
        return paired(PAIRS[op], left, right, at)
    data, values = (left, right) if isinstance(left, Data) else (right, left)
    if not isinstance(data, Data):
        raise at.fail("have data, got two constants")
    if values.dtype.kind not in "fiu":
        raise at.bad(f"have numbers, got {values.dtype}")
    if (sizes := _spread_over(values, data)) is not None:
        check_size(sizes, at)
        constant = per_sample(values, data, at, sizes=sizes)
        return data.then(Against(PAIRS[op], constant, data is right, at.name), sizes=sizes)
    if op == "Add":
        return plus(data, values, at)
    if op == "Sub":
        return plus(data, -_real(values), at) if data is left else plus(data, values, at, scale=-1)
    if op == "Mul":
        return times(data, values, at)
    if op in ("Min", "Max") and values.size == 1 and values.ndim <= data.rank and _never(op, values):
        return data
    if op == "Max" and values.size == 1 and not values.any() and values.ndim <= data.rank:
        return data.then(ReLU())
    if op not in ("Add", "Sub", "Mul", "Div") or data is right:
        return against(PAIRS[op], data, values, at, first=data is right)
    with np.errstate(divide="ignore", over="ignore"):
        return times(data, 1 / _real(values), at)


def _spread_over(values: np.ndarray, data: Data) -> Sizes | None:
    """The sizes of a result that has more values than data, which a constant repeats; None for any other."""
    if None in data.sizes or values.ndim > data.rank or data.axis not in (0, None):
        return None
    own = values.shape[1:] if values.ndim == data.rank and data.axis == 0 else values.shape
    try:
        sizes = np.broadcast_shapes(own, data.sizes)
    except ValueError:
        return None
    return None if sizes == data.sizes or 0 in sizes else sizes


def _never(op: str, values: np.ndarray) -> bool:
    """Whether a constant never is the smaller, or the larger, of two."""
    return bool(values.item() == (math.inf if op == "Min" else -math.inf))


def _real(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # of NaN, which is refused where the layer is made
        return values.astype(np.float64)


def per_sample(values: np.ndarray, data: Data, at: At, *, sizes: Sizes | None = None) -> np.ndarray:
    """A constant without its batch axis: what it is for a sample, one dimension at least.

    sizes  that it must fit, those of data where None
    """
    sizes = data.sizes if sizes is None else sizes
    if values.dtype.kind not in "fiu":
        raise at.bad(f"have numbers, got {values.dtype}")
    if values.ndim > data.rank:
        raise at.fail(f"not add dimensions, got a constant of shape {values.shape} for {data}")
    full = values.reshape((1,) * (data.rank - values.ndim) + values.shape)
    sample = full if data.axis is None else _alike(full, data, at)
    for own, size in zip(sample.shape, sizes, strict=True):
        if own != 1 and size is None:
            learn(data, own)
        if own != 1 and size is not None and own != size:
            raise at.fail(f"keep the sizes {data.sizes}, got a constant of shape {values.shape}")
    for axis, own in enumerate(sample.shape):
        if own > 1 and (sample == sample.take([0], axis)).all():
            sample = sample.take([0], axis)
    while sample.ndim > 1 and sample.shape[0] == 1:
        sample = sample[0]
    return sample


def _alike(full: np.ndarray, data: Data, at: At) -> np.ndarray:
    """A constant of all samples, without the batch axis."""
    if full.shape[data.axis] == data.batch and (full == full.take([0], data.axis)).all():
        full = full.take([0], data.axis)
    if full.shape[data.axis] != 1:
        raise at.fail_batch(f"do the same to every sample, got a constant of shape {full.shape}")
    return full.squeeze(data.axis)


def paired(layer: Pair, left: Data, right: Data, at: At) -> Data:
    """Two tensors, value by value, as numpy broadcasts."""
    rank = max(left.rank, right.rank)
    if (left.axis is None) != (right.axis is None):
        left, right = alone(left, at), alone(right, at)
    left, right = raised(left, rank, at), raised(right, rank, at)
    if left.axis != right.axis:
        raise at.fail_batch(f"have the batch of both in one dimension, got {left} and {right}")
    sizes = []
    for one, other in zip(left.sizes, right.sizes, strict=True):
        if one != other and None in (one, other):
            for data in (left, right):
                if (one or other) != 1:
                    learn(data, one or other)
            raise at.unknown(left if one is None else right)
        if one != other and 1 not in (one, other):
            raise at.bad(f"have operands that fit as numpy broadcasts, got {left} and {right}")
        sizes.append(other if one == 1 else one)
    check_size(tuple(sizes), at)
    return Data(Wire(layer, (left.wire, right.wire), tuple(sizes)), left.batch, left.axis)


def raised(data: Data, rank: int, at: At) -> Data:
    """data with dimensions of size 1 in front, up to rank of them."""
    return data if data.rank == rank else unsqueezed(data, range(rank - data.rank), at)
