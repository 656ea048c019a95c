"""Sums up to each place of whole numbers, as position ids are counted from a mask."""

from __future__ import annotations

import numpy as np

from ..layers import Add, Expand, LessEqual, MatMul, Max, Min, Mul, Prefix, Reshape, Slice, Sub, Transpose
from ._arithmetic import paired
from ._conditions import is_truth
from ._data import At, Data
from ._moves import reshaped
from ._products import matrices
from ._steps import Beside, Scale
from ._wires import Wire

_EXACT = (Add, Expand, MatMul, Max, Min, Mul, Reshape, Slice, Sub, Transpose)


def is_whole(wire: Wire) -> bool:
    """Whether it is made of comparisons, and of sums and products of such and whole numbers."""
    if is_truth(wire):
        return True
    step = wire.step
    if isinstance(step, Scale):
        exact = all((own == np.rint(own)).all() for own in (step.scale, step.shift))
    else:
        exact = isinstance(step, _EXACT)
    return exact and all(map(is_whole, wire.operands))


def running_sum(data: Data, axis: int, at: At) -> Data:
    """Of a row of whole numbers a sample: times a matrix of ones where a place counts the one of its row.

    The places are a table that is cut to the size of data, so that may be open.
    """
    data.place(axis, at)
    if len(data.sizes) != 1 or data.axis != 0 or not is_whole(data.wire):
        raise at.fail(f"add up a row a sample, of whole numbers made of comparisons, got {data}")
    count = data.size(0, at)
    places = data.then(Beside(Prefix(), (np.arange(count), None), at.name))
    row, column = (data.batch, 1, count), (data.batch, count, 1)
    counted = paired(LessEqual(), reshaped(places, column, at), reshaped(places, row, at), at)
    return reshaped(matrices(reshaped(data, row, at), counted, at), (data.batch, count), at)
