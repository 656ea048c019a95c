"""Powers of a tensor: products, roots and quotients where they do, else the exponential of a logarithm."""

from __future__ import annotations

import math

import numpy as np

from ..layers import Div, Exp, Log, Sqrt
from ._arithmetic import against, multiplied, scaled
from ._data import At, Data

LARGEST_WHOLE = 64


def reciprocal(data: Data, at: At) -> Data:
    return against(Div(), data, np.ones(1), at, first=True)


def power(data: Data, exponent: float, at: At) -> Data:
    """data to the exponent, which is not 0; NaN of a negative base where 2 exponent is not whole."""
    if not math.isfinite(exponent) or exponent == 0:
        raise at.fail(f"have a finite exponent other than 0, got {exponent:g}")
    doubled = 2 * abs(exponent)
    if doubled != int(doubled) or doubled > 2 * LARGEST_WHOLE:
        return scaled(data.then(Log()), exponent, at).then(Exp())
    whole, half = divmod(int(doubled), 2)
    made = _product(data, whole, at) if whole else None
    if half:
        root = data.then(Sqrt())
        made = root if made is None else multiplied(made, root, at)
    return reciprocal(made, at) if exponent < 0 else made


def exponential(base: float, data: Data, at: At) -> Data:
    """base to the data."""
    if not 0 < base < math.inf:
        raise at.fail(f"have a finite base above 0, got {base:g}")
    return scaled(data, math.log(base), at).then(Exp())


def _product(data: Data, count: int, at: At) -> Data:
    """data times itself, count in all: by squares."""
    if count == 1:
        return data
    half = _product(data, count // 2, at)
    squared = multiplied(half, half, at)
    return multiplied(squared, data, at) if count % 2 else squared
