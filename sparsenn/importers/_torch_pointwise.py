"""The functions of torch that work value by value, as in _torch_functions.py."""

from __future__ import annotations

import torch

from . import _functions, _powers
from ._arithmetic import combined, multiplied, scaled
from ._data import Data
from ._torch_place import Place


def activation(layer: object):
    return lambda at, input, inplace=False: at.data(input).then(layer)


def add(at: Place, input, other, *, alpha=1) -> Data:
    return _with_factor("Add", at, input, other, at.number(alpha, "alpha"))


def sub(at: Place, input, other, *, alpha=1) -> Data:
    return _with_factor("Sub", at, input, other, at.number(alpha, "alpha"))


def mul(at: Place, input, other) -> Data:
    return combined("Mul", at.operand(input), at.operand(other), at)


def div(at: Place, input, other, *, rounding_mode=None) -> Data:
    if rounding_mode is not None:
        raise at.fail(f"not round, got rounding_mode={rounding_mode!r}")
    return combined("Div", at.operand(input), at.operand(other), at)


def neg(at: Place, input) -> Data:
    return scaled(at.data(input), -1, at)


def _with_factor(op: str, at: Place, input, other, factor: float) -> Data:
    other = at.operand(other)
    if factor != 1:
        other = scaled(other, factor, at) if isinstance(other, Data) else other * factor
    return combined(op, at.operand(input), other, at)


def minimum(at: Place, input, other) -> Data:
    return _of_two("Min", at, input, other)


def maximum(at: Place, input, other) -> Data:
    return _of_two("Max", at, input, other)


def _of_two(op: str, at: Place, input, other) -> Data:
    """torch.min and max of a tensor and a dimension are something else."""
    if not all(isinstance(operand, (Data, torch.Tensor)) for operand in (input, other)):
        raise at.fail("take two tensors")
    return combined(op, at.operand(input), at.operand(other), at)


def power(at: Place, input, exponent) -> Data:
    """Data to a number, or a number to the data."""
    if isinstance(exponent, Data):
        return _powers.exponential(at.number(input, "base"), exponent, at)
    return _powers.power(at.data(input), at.number(exponent, "exponent"), at)


def square(at: Place, input) -> Data:
    return multiplied(at.data(input), at.data(input), at)


def rsqrt(at: Place, input) -> Data:
    return _powers.power(at.data(input), -0.5, at)


def reciprocal(at: Place, input) -> Data:
    return _powers.reciprocal(at.data(input), at)


def clamp(at: Place, input, min=None, max=None, inplace=False) -> Data:
    limits = [None if limit is None else at.number(limit, "limit") for limit in (min, max)]
    return _functions.clipped(at.data(input), *limits, at)


def hardtanh(at: Place, input, min_val=-1.0, max_val=1.0, inplace=False) -> Data:
    return clamp(at, input, min_val, max_val)


def relu6(at: Place, input, inplace=False) -> Data:
    return clamp(at, input, 0.0, 6.0)


def leaky_relu(at: Place, input, negative_slope=0.01, inplace=False) -> Data:
    return _functions.leaky_relu(at.data(input), at.number(negative_slope, "slope"), at)


def prelu(at: Place, input, weight) -> Data:
    slopes = at.array(weight, "weight")
    if slopes is None:
        raise at.fail("have slopes")
    return _functions.prelu_of_channels(at.data(input), slopes, at)


def threshold(at: Place, input, threshold, value, inplace=False) -> Data:
    numbers = (at.number(threshold, "threshold"), at.number(value, "value"))
    return _functions.threshold(at.data(input), *numbers, at)


def elu(at: Place, input, alpha=1.0, inplace=False) -> Data:
    return _functions.elu(at.data(input), at.number(alpha, "alpha"), at)


def celu(at: Place, input, alpha=1.0, inplace=False) -> Data:
    return _functions.celu(at.data(input), at.number(alpha, "alpha"), at)


def selu(at: Place, input, inplace=False) -> Data:
    return _functions.selu(at.data(input), 1.6732632423543772848, 1.0507009873554804934, at)


def hardsigmoid(at: Place, input, inplace=False) -> Data:
    return _functions.hard_sigmoid(at.data(input), 1 / 6, 0.5, at)


def softplus(at: Place, input, beta=1.0, threshold=20.0) -> Data:
    numbers = (at.number(beta, "beta"), at.number(threshold, "threshold"))
    return _functions.softplus(at.data(input), *numbers, at)


def logsigmoid(at: Place, input) -> Data:
    return _functions.log_sigmoid(at.data(input), at)


def softsign(at: Place, input) -> Data:
    return _functions.softsign(at.data(input), at)


def gelu(at: Place, input, approximate="none") -> Data:
    return _functions.gelu(at.data(input), approximate, at)
