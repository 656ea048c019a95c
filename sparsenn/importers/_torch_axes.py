"""The functions of torch that look over axes, each with the arguments that it has there, after the place."""

from __future__ import annotations

import torch

from ..layers import ReduceMax, ReduceMean, ReduceMin, ReduceSum
from . import _functions
from ._data import Data
from ._torch_place import Place


def softmax(at: Place, input, dim=None, _stacklevel=3, dtype=None) -> Data:
    data = at.data(input)
    _check_type(at, dtype)
    if dim is None:  # what torch does then
        dim = 0 if data.rank in (0, 1, 3) else 1
    return _functions.softmax(data, at.integer(dim, "dim"), at)


def log_softmax(at: Place, input, dim=None, _stacklevel=3, dtype=None) -> Data:
    data = at.data(input)
    _check_type(at, dtype)
    dim = (0 if data.rank in (0, 1, 3) else 1) if dim is None else at.integer(dim, "dim")
    return _functions.log_softmax(data, dim, at)


def log_softmax_of_tensor(at: Place, input, dim, dtype=None) -> Data:
    return log_softmax(at, input, dim, dtype=dtype)


def softmax_of_tensor(at: Place, input, dim, dtype=None) -> Data:
    return softmax(at, input, dim, dtype=dtype)


def _check_type(at: Place, dtype) -> None:
    if dtype not in (None, torch.float32, torch.float64):
        raise at.fail(f"have dtype float32 or float64, got {dtype}")


def _reduced(at: Place, kind, input, dim, keepdim, dtype=None) -> Data:
    data = at.data(input)
    _check_type(at, dtype)
    axes = range(data.rank) if dim in (None, (), []) else at.integers(dim, "dim")
    return _functions.reduced(data, kind, list(axes), bool(keepdim), at)


def mean(at: Place, input, dim=None, keepdim=False, *, dtype=None) -> Data:
    return _reduced(at, ReduceMean, input, dim, keepdim, dtype)


def sum_of(at: Place, input, dim=None, keepdim=False, *, dtype=None) -> Data:
    return _reduced(at, ReduceSum, input, dim, keepdim, dtype)


def amax(at: Place, input, dim=(), keepdim=False) -> Data:
    return _reduced(at, ReduceMax, input, dim, keepdim)


def amin(at: Place, input, dim=(), keepdim=False) -> Data:
    return _reduced(at, ReduceMin, input, dim, keepdim)
