"""The ONNX operators that change shapes: of data, as long as the batch stays whole, and of constants."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse

from ..errors import FormatError
from ._onnx_file import MOST_DIMENSIONS
from ._onnx_values import BatchAxisError, Data, Node, Sizes


def flatten(node: Node):
    """(batch, ...) to (batch, features)."""
    data = node.data()
    rank = len(data.sizes) + 1
    axis = node.attributes.get("axis", 1)
    axis = axis + rank if axis < 0 else axis
    if data.batch_axis != 0:
        raise BatchAxisError(str(node.fail("have the batch in dimension 0")))
    if axis != 1:
        raise node.fail(f"keep the batch (axis 1), got axis {axis}")
    return Data(data.chain, (data.features,), data.batch, 0)


def reshape(node: Node):
    """Of data: to (batch, ...) with the same features; of a constant: to any shape."""
    target = node.input(1)
    target = target.values if isinstance(target, Sizes) else node.constant(1)
    if target.dtype.kind != "i" or target.ndim != 1 or target.size > MOST_DIMENSIONS:
        raise FormatError(f"op {node.op!r} of node {node.label} must have a shape of integers")
    shape = [int(size) for size in target]
    value = node.input(0)
    if isinstance(value, Data):
        return _reshape_data(node, value, shape)
    value = node.constant(0)
    if any(size == 0 for size in shape) and not node.attributes.get("allowzero", 0):
        shape = [value.shape[i] if size == 0 and i < value.ndim else size for i, size in enumerate(shape)]
    try:
        return value.reshape(shape)
    except ValueError:
        raise FormatError(
            f"op {node.op!r} of node {node.label} must keep the elements, got {value.shape} to {shape}"
        ) from None


def _reshape_data(node: Node, data: Data, shape: list[int]) -> Data:
    if data.batch_axis != 0:
        raise BatchAxisError(str(node.fail("have the batch in dimension 0")))
    first, rest = (shape[0], shape[1:]) if shape else (None, [])
    rest = [data.sizes[i] if size == 0 and i < len(data.sizes) else size for i, size in enumerate(rest)]
    unknown = [index for index, size in enumerate(rest) if size == -1]
    others = [size for size in rest if size != -1]
    if first not in (0, -1, data.batch) or not rest or None in others or min(others, default=1) < 1:
        raise node.fail(f"keep the batch in dimension 0, got shape {shape}")
    features, known = data.features, math.prod(others)
    if len(unknown) == 1 and first != -1:
        if features is not None and features % known:
            raise FormatError(
                f"op {node.op!r} of node {node.label} must keep the features, got shape {shape}"
            )
        rest[unknown[0]] = None if features is None else features // known
    elif unknown or known != features:
        raise node.fail(f"keep the {features} features of each sample, got shape {shape}")
    return Data(data.chain, tuple(rest), data.batch, 0)


def transpose(node: Node):
    """Of data (batch, features): both ways round; of a constant: any permutation."""
    value = node.input(0)
    rank = len(value.sizes) + 1 if isinstance(value, Data) else len(getattr(value, "shape", ()))
    order = node.attributes.get("perm", tuple(range(rank))[::-1])
    if sorted(order) != list(range(rank)):
        raise FormatError(f"op {node.op!r} of node {node.label} must have a permutation, got {order[:8]}")
    if isinstance(value, Data):
        if order == tuple(range(rank)):
            return value
        if rank != 2:
            raise node.fail(f"take (batch, features), got {rank} dimensions")
        return Data(value.chain, value.sizes, value.batch, 1 - value.batch_axis)
    if scipy.sparse.issparse(value):
        return value.T.tocsr() if order == (1, 0) else value
    return node.constant(0).transpose(order)


def shape_of(node: Node):
    """The shape of data, with 0 for the batch, which is what Reshape takes for it."""
    data = node.data()
    if data.batch_axis != 0 or None in data.sizes or node.attributes.names():
        raise node.fail("be of (batch, ...) with declared sizes")
    return Sizes(np.array([0, *data.sizes], np.int64))


def gather(node: Node):
    """Entries of a shape."""
    sizes, index = _sizes(node), node.constant(1)
    if index.dtype.kind != "i" or index.size > MOST_DIMENSIONS or node.attributes.get("axis", 0) != 0:
        raise node.fail("take entries of a shape")
    if index.size and not (-len(sizes) <= index.min() and index.max() < len(sizes)):
        raise FormatError(f"op {node.op!r} of node {node.label} must have indices within the shape")
    return Sizes(sizes[index])


def slice_of(node: Node):
    """A range of a shape; the ranges were attributes before opset 10."""
    sizes = _sizes(node)
    if node.opset < 10:
        ends = [node.attributes.get(name, ()) for name in ("starts", "ends", "axes")]
        starts, stops, axes, steps = *ends[:2], ends[2] or (0,), (1,)
    else:
        given = [node.constant(index, optional=True) for index in range(1, 5)]
        starts, stops, axes, steps = (
            default if part is None else part.reshape(-1).tolist()
            for part, default in zip(given, ((), (), (0,), (1,)), strict=True)
        )
    if (
        not len(starts) == len(stops) == len(axes) == len(steps) == 1
        or axes[0] not in (0, -1)
        or steps[0] == 0
    ):
        raise node.fail("take one range of a shape")
    return Sizes(sizes[int(starts[0]) : int(stops[0]) : int(steps[0])])


def unsqueeze(node: Node):
    """A size as a shape of one entry, and back: both are one number."""
    value = node.input(0)
    if isinstance(value, Sizes):
        return Sizes(value.values.reshape(-1)) if node.op == "Unsqueeze" else Sizes(_single(node, value))
    raise node.fail("take part of a shape")


def concat_sizes(node: Node):
    """Parts of a shape, and constants, joined."""
    parts = [value.values if isinstance(value, Sizes) else value for value in node.inputs]
    if not parts or len(parts) > MOST_DIMENSIONS or not all(_is_sizes(part) for part in parts):
        raise node.fail("join parts of a shape, or scaled copies of one tensor")
    return Sizes(np.concatenate(parts))


def _is_sizes(part) -> bool:
    return (
        isinstance(part, np.ndarray)
        and part.ndim == 1
        and part.size <= MOST_DIMENSIONS
        and part.dtype.kind == "i"
    )


def _single(node: Node, value: Sizes) -> np.ndarray:
    if value.values.size != 1:
        raise node.fail("take a single size")
    return value.values.reshape(())


def _sizes(node: Node) -> np.ndarray:
    value = node.input(0)
    if not isinstance(value, Sizes) or value.values.ndim != 1:
        raise node.fail("take a shape, as Shape gives it")
    return value.values


SHAPE_OPS = {
    "Shape": shape_of,
    "Gather": gather,
    "Slice": slice_of,
    "Unsqueeze": unsqueeze,
    "Squeeze": unsqueeze,
    "Concat": concat_sizes,
}
