"""Values of data at places that a constant lists: GatherND, and Gather of all samples in a row.

Exporters write masks of padding so, mask[sample, token], with the numbers of the samples in the indices.
"""

from __future__ import annotations

import math

import numpy as np

from . import _moves
from ._data import Data
from ._onnx_values import Node


def gather_nd(node: Node) -> Data:
    """Single values, whose indices begin with the number of their sample."""
    data, indices = node.data(0), node.constant(1)
    if node.attributes.get("batch_dims", 0) or data.axis != 0 or data.lead:
        raise node.fail(f"have batch_dims of 0 and the batch in front, got {data}")
    if None in data.sizes:
        raise node.unknown(data)
    if indices.dtype.kind not in "iu" or indices.ndim < 2 or indices.shape[-1] != data.rank:
        shown = f"{indices.dtype} {indices.shape}"
        raise node.fail(f"have indices of single values, {data.rank} numbers each, got {shown}")
    numbers = np.zeros(indices.shape[:-1], np.int64)
    for place, size in enumerate(data.shape):
        own = indices[..., place].astype(np.int64)
        own = np.where(own < 0, own + size, own)
        if own.size and (own.min() < 0 or own.max() >= size):
            raise node.bad(f"have indices in [{-size}, {size}) along axis {place}")
        numbers = numbers * size + own
    return _picked(data, numbers, node)


def of_all_samples(node: Node, data: Data, indices: np.ndarray, axis: int) -> Data:
    """Gather along axis 0 of (batch * values, ...), as Flatten leaves data."""
    rows, *rest = data.shape
    if axis != 0 or math.prod(rest) != 1 or indices.dtype.kind not in "iu" or indices.ndim == 0:
        raise node.fail(f"have single values of all samples along axis 0, got {data} and axis {axis}")
    numbers = np.where(indices < 0, indices.astype(np.int64) + rows, indices.astype(np.int64))
    if numbers.size and (numbers.min() < 0 or numbers.max() >= rows):
        raise node.bad(f"have indices in [{-rows}, {rows})")
    whole = _moves.merged(data, (data.batch, *data.sizes), node)
    made = _picked(whole, numbers, node)
    return _moves.reshaped(made, (*numbers.shape, *rest), node)


def _picked(data: Data, numbers: np.ndarray, node: Node) -> Data:
    """Values by their number among those of all samples, numbers (batch, ...): the same of each sample."""
    count = data.features
    offsets = np.arange(data.batch).reshape(-1, *[1] * (numbers.ndim - 1)) * count
    own = numbers - offsets if len(numbers) == data.batch else None
    if own is None or (own != own[:1]).any() or (own[0] < 0).any() or (own[0] >= count).any():
        raise node.fail("take the same values of each sample, from itself")
    wanted = own[0].reshape(-1)
    flat = _moves.reshaped(data, (data.batch, count), node)
    if not np.array_equal(wanted, np.arange(count)):
        flat = _moves.taken(flat, wanted.tolist(), 1, node)
    return _moves.reshaped(flat, numbers.shape, node)


def gather_elements(node: Node) -> np.ndarray:
    """The number of a constant that is one everywhere, as types of tokens are that nobody gave."""
    indices, table = node.data(1), node.constant(0)
    if table.size == 0 or (table != table.reshape(-1)[0]).any():
        raise node.fail("take from a constant that is one number everywhere, at places that data names")
    if None in indices.sizes:
        raise node.unknown(indices)
    return np.full(indices.shape, table.reshape(-1)[0])


GATHERED_OPS = {"GatherElements": gather_elements, "GatherND": gather_nd}
