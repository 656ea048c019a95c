"""The functions of torch that compare and choose, as in _torch_functions.py."""

from __future__ import annotations

import torch

from . import _conditions
from ._arithmetic import combined
from ._data import Data
from ._moves import expanded
from ._torch_place import Place


def _operand(at: Place, value):
    """Data, a tensor or a number; booleans as 1 and 0."""
    if isinstance(value, torch.Tensor) and value.dtype == torch.bool:
        value = value.float()
        at.arrays[id(value)] = value, value.numpy()  # kept, so that no other gets its identity
    return at.operand(float(value) if isinstance(value, (bool, int)) else value)


def _comparison(op: str, *, turned: bool = False, negated: bool = False):
    def compare(at: Place, input, other) -> Data:
        left, right = _operand(at, input), _operand(at, other)
        if negated and not isinstance(right, Data) and right.size == 1 and not right.any():
            return _conditions.truth(left, at)
        made = _conditions.compared(op, *((right, left) if turned else (left, right)), at)
        return _conditions.negated(made, at) if negated else made

    return compare


eq, ne = _comparison("Equal"), _comparison("Equal", negated=True)
lt, gt = _comparison("Less"), _comparison("Less", turned=True)
le, ge = _comparison("LessEqual"), _comparison("LessEqual", turned=True)


def _truth(at: Place, value):
    own = _operand(at, value)
    return _conditions.truth(own, at) if isinstance(own, Data) else (own != 0).astype("float32")


def logical_and(at: Place, input, other) -> Data:
    return combined("Mul", _truth(at, input), _truth(at, other), at)


def logical_or(at: Place, input, other) -> Data:
    return combined("Max", _truth(at, input), _truth(at, other), at)


def logical_not(at: Place, input) -> Data:
    return _conditions.negated(_conditions.truth(at.data(input), at), at)


def to_bool(at: Place, input) -> Data:
    return _conditions.truth(at.data(input), at)


def where(at: Place, condition, input, other) -> Data:
    return _conditions.where(*(_operand(at, value) for value in (condition, input, other)), at)


def where_of_tensor(at: Place, input, condition, other) -> Data:
    return where(at, condition, input, other)


def masked_fill(at: Place, input, mask, value) -> Data:
    return where(at, mask, value, input)


def expand(at: Place, input, *sizes) -> Data:
    data = at.data(input)
    wanted = at.integers(sizes, "sizes")
    front = len(wanted) - data.rank
    shape = [1 if size == -1 and index >= front else size for index, size in enumerate(wanted)]
    return expanded(data, shape, at)


def expand_as(at: Place, input, other) -> Data:
    return expanded(at.data(input), list(at.data(other).shape), at)
