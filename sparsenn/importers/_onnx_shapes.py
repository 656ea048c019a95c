"""The ONNX operators that move the values of data."""

from __future__ import annotations

import math

import numpy as np

from ..errors import ArgumentError
from ..layers import DepthToSpace, SpaceToDepth
from . import _moves
from ._data import Data
from ._onnx_file import MOST_DIMENSIONS
from ._onnx_gathered import GATHERED_OPS, of_all_samples
from ._onnx_values import Node


def flatten(node: Node) -> Data:
    """(batch, ...) to (batch, features), or to (batch * features, 1)."""
    data = node.data()
    axis = node.attributes.get("axis", 1)
    axis = axis + data.rank if axis < 0 else axis
    if axis == data.rank and data.axis == 0 and None not in data.sizes:
        return _moves.merged(data, (data.batch * data.features, 1), node)
    if axis != 1:
        raise node.fail(f"keep the batch (axis 1), got axis {axis}")
    return _moves.flattened(data, 1, -1, node)


def reshape(node: Node) -> Data:
    """0 stands for the size that is there, unless allowzero says otherwise."""
    data, target = node.data(0), node.constant(1)
    if target.dtype.kind != "i" or target.ndim != 1 or target.size > MOST_DIMENSIONS:
        raise node.bad("have a shape of a few integers")
    shape = [int(size) for size in target]
    if not node.attributes.get("allowzero", 0):
        old = data.shape
        shape = [old[i] if size == 0 and i < len(old) else size for i, size in enumerate(shape)]
    return _moves.merged(data, shape, node)


def transpose(node: Node) -> Data:
    data = node.data()
    return _moves.permuted(data, node.attributes.get("perm", tuple(range(data.rank))[::-1]), node)


def shape_of(node: Node) -> np.ndarray:
    data = node.data()
    if None in data.sizes:
        raise node.unknown(data)
    start, end = (node.attributes.get("start", 0), node.attributes.get("end", data.rank))
    return np.array(data.shape[start:end], np.int64)


def size_of(node: Node) -> np.ndarray:
    data = node.data()
    if None in data.sizes:
        raise node.unknown(data)
    return np.array(math.prod(data.shape), np.int64)


def gather(node: Node) -> Data:
    """Places of one dimension, a single one without that dimension; or rows of a table that data names."""
    if isinstance(node.input(1), Data):
        return embedded(node)
    data, indices, axis = node.data(0), node.constant(1), node.attributes.get("axis", 0)
    if data.lead:
        return of_all_samples(node, data, indices, axis)
    if indices.dtype.kind not in "iu" or indices.ndim > 1:
        raise node.fail(f"have a list of indices or one of them, got {indices.dtype} {indices.shape}")
    part = _moves.taken(data, [int(index) for index in indices.reshape(-1)], axis, node)
    return part if indices.ndim else _moves.squeezed(part, [axis], node)


def embedded(node: Node) -> Data:
    """Rows of a constant, which whole numbers of the input name."""
    rows, table = node.data(1), node.constant(0)
    if node.attributes.get("axis", 0) != 0 or table.ndim != 2 or table.dtype.kind != "f" or rows.axis != 0:
        raise node.fail(f"have rows of a matrix of floats, got {table.dtype} {table.shape} and {rows}")
    return _moves.looked_up(rows, table, node)


def slice_of(node: Node) -> Data:
    """Ranges of dimensions, which were attributes before opset 10."""
    data = node.data()
    starts, ends, axes, steps = (
        node.integers(name, index, since=10)
        for index, name in enumerate(("starts", "ends", "axes", "steps"), 1)
    )
    if starts is None or ends is None:
        raise node.bad("have starts and ends")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or len(starts) > MOST_DIMENSIONS:
        raise node.bad("have a start, an end, an axis and a step for each range")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        data = _moves.sliced(data, axis, start, None if end >= 2**31 - 1 else end, step, node)
    return data


def squeeze(node: Node) -> Data:
    return _moves.squeezed(node.data(), node.integers("axes", 1, since=13), node)


def unsqueeze(node: Node) -> Data:
    axes = node.integers("axes", 1, since=13)
    if axes is None:
        raise node.bad("have axes")
    return _moves.unsqueezed(node.data(), axes, node)


def split(node: Node) -> list[Data]:
    """Parts of the sizes that are given, else as many of one size as there are outputs."""
    data, axis = node.data(), node.attributes.get("axis", 0)
    sizes = node.integers("split", 1, since=13)
    if sizes is None:
        count = node.attributes.get("num_outputs", len(node.outputs))
        size = data.size(data.place(axis, node), node)
        if not 1 <= count <= size:
            raise node.bad(f"have 1 to {size} parts, got {count}")
        part = -(-size // count)
        sizes = [part] * (count - 1) + [size - part * (count - 1)]
    return _moves.split_up(data, sizes, axis, node)


def concat(node: Node) -> Data:
    parts = [own if isinstance(own, Data) else node.constant(index) for index, own in enumerate(node.inputs)]
    if "axis" not in node.attributes:
        raise node.bad("have an axis")
    return _moves.joined(parts, node.attributes.get("axis", 0), node)


def expand(node: Node) -> Data:
    """To a shape: dimensions of 1 repeated."""
    data, target = node.data(0), node.constant(1)
    if target.dtype.kind not in "iu" or target.size > MOST_DIMENSIONS:
        raise node.bad(f"have a shape of a few integers, got {target.dtype} {target.shape}")
    return _moves.expanded(data, [int(size) for size in target.reshape(-1)], node)


def in_blocks(node: Node) -> Data:
    """ONNX has the channels of one place of the blocks side by side; of DepthToSpace mode CRD has not."""
    mode = node.attributes.get("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise node.fail(f"have a mode of DCR or CRD, got {mode!r:.40}")
    kind = DepthToSpace if node.op == "DepthToSpace" else SpaceToDepth
    try:
        layer = kind(node.attributes.get("blocksize", 0), mode == "DCR")
    except ArgumentError as error:
        raise node.bad(f"have a blocksize that makes sense: {error}") from None
    return _moves.in_blocks(node.data(), layer, node)


SHAPE_OPS = {
    "Concat": concat,
    "DepthToSpace": in_blocks,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    **GATHERED_OPS,
    "Reshape": reshape,
    "Shape": shape_of,
    "Size": size_of,
    "Slice": slice_of,
    "SpaceToDepth": in_blocks,
    "Split": split,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
