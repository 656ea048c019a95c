"""What an ONNX graph computes of constants alone: done by the reference evaluator of the onnx package.

Nodes are evaluated one by one, those alone whose results are bounded by what is there: a file of a few bytes
must not ask for all the memory.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
import scipy
from onnx.reference import ReferenceEvaluator

from ..errors import UnsupportedError
from ._onnx_file import MOST_DIMENSIONS
from ._onnx_values import Node

MOST_VALUES, VALUES_A_BYTE = 1 << 22, 4  # that all folded nodes of a file make together

BROADCAST = frozenset(
    {"Abs", "Add", "And", "Cast", "Ceil", "Clip", "Cos", "Div", "Equal", "Exp", "Floor", "Greater"}
    | {"GreaterOrEqual", "Less", "LessOrEqual", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow"}
    | {"Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Sqrt", "Sub", "Tanh", "Where"}
)
MOVES = frozenset({"Concat", "Flatten", "Reshape", "Shape", "Size", "Slice", "Split", "Squeeze", "Transpose"})
REDUCED = frozenset({"ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"})
FOLDED = BROADCAST | MOVES | REDUCED
FOLDED |= {
    "ConstantOfShape",
    "Expand",
    "Gather",
    "GatherElements",
    "GatherND",
    "Range",
    "Tile",
    "Trilu",
    "Unsqueeze",
}


class Folder:
    """Evaluates nodes; file_bytes bounds what they may make."""

    def __init__(self, file_bytes: int):
        self.left = MOST_VALUES + VALUES_A_BYTE * file_bytes

    def outputs(self, node: Node, proto: onnx.NodeProto) -> list[np.ndarray]:
        """What a node makes of constants."""
        if scipy.sparse.issparse(node.input(0)) and node.op == "Transpose":
            return [node.input(0).T.tocsr()]
        if any(scipy.sparse.issparse(value) for value in node.inputs):
            raise node.fail("have dense constants")
        if any(attribute.HasField("g") or attribute.graphs for attribute in proto.attribute):
            raise node.fail("have no graphs inside")
        self._spend(node)
        if node.op in ("Squeeze", "Unsqueeze") and node.opset < 13:  # which the evaluator does not take
            return [_with_axes(node)]
        if node.op == "GatherElements":  # which the evaluator takes of few shapes alone
            return [_elements(node)]
        plain = onnx.NodeProto()
        plain.CopyFrom(proto)
        plain.name, plain.domain = "", ""
        plain.input[:] = [f"i{i}" if name else "" for i, name in enumerate(proto.input)]
        plain.output[:] = [f"o{i}" for i in range(len(proto.output))]
        given = {f"i{i}": value for i, value in enumerate(node.inputs) if value is not None}
        try:
            with np.errstate(all="ignore"):
                made = ReferenceEvaluator(plain, opsets={"": node.opset}).run(None, given)
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:  # of a node that makes no sense, the evaluator raises anything
            raise node.bad(
                f"be one that can be evaluated: {str(error) or type(error).__name__:.200}"
            ) from None
        if not all(isinstance(value, (np.ndarray, np.generic)) for value in made):
            raise node.fail("make tensors")
        made = [np.asarray(value) for value in made]
        if any(value.ndim > MOST_DIMENSIONS or value.dtype.kind not in "fiub" for value in made):
            raise node.fail(f"make tensors of numbers of at most {MOST_DIMENSIONS} dimensions")
        return made

    def _spend(self, node: Node) -> None:
        try:
            self.left -= _most_values(node)
        except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError) as error:
            raise node.bad(f"have inputs that fit together: {error!s:.200}") from None
        if self.left < 0:
            raise UnsupportedError(
                f"{node.label} must not make more values than are in proportion to the file"
            )


def _with_axes(node: Node) -> np.ndarray:
    """Dimensions of 1 more or fewer, at axes that are an attribute."""
    (value,), axes = node.inputs, tuple(node.attributes.get("axes", ()))
    try:
        if node.op == "Unsqueeze":
            return np.expand_dims(value, axes)
        return np.squeeze(value, axes or None)
    except (ValueError, TypeError) as error:
        raise node.bad(f"have axes that fit: {error!s:.200}") from None


def _elements(node: Node) -> np.ndarray:
    """The values at indices along an axis, each from where the index stands along the others."""
    data, indices = node.inputs
    axis = node.attributes.get("axis", 0)
    axis = axis + data.ndim if axis < 0 else axis
    if indices.ndim != data.ndim or not 0 <= axis < data.ndim or indices.dtype.kind not in "iu":
        raise node.bad(f"have indices of {data.ndim} dimensions, got {indices.dtype} {indices.shape}")
    others = tuple(slice(None if i == axis else size) for i, size in enumerate(indices.shape))
    try:
        return np.take_along_axis(data[others], indices, axis)
    except (IndexError, ValueError) as error:
        raise node.bad(f"have indices that fit: {error!s:.200}") from None


def _most_values(node: Node) -> int:
    """How many values the node may make, at most."""
    inputs = [value for value in node.inputs if value is not None]
    total = sum(value.size for value in inputs) + MOST_DIMENSIONS
    if any(value.ndim > MOST_DIMENSIONS for value in inputs):
        raise ValueError(f"a tensor has more than {MOST_DIMENSIONS} dimensions")
    if node.op in BROADCAST:
        return math.prod(np.broadcast_shapes(*(value.shape for value in inputs)))
    if node.op == "ConstantOfShape":
        return _product(inputs[0])
    if node.op == "Expand":
        _product(inputs[1])  # a shape
        return math.prod(np.broadcast_shapes(inputs[0].shape, tuple(map(int, inputs[1]))))
    if node.op == "Tile":
        return max(1, inputs[0].size) * _product(inputs[1])
    if node.op == "Range":
        start, limit, delta = (float(value.reshape(())) for value in inputs)
        return max(0, math.ceil((limit - start) / delta))
    if node.op == "Gather":
        axis = node.attributes.get("axis", 0)
        return inputs[1].size * inputs[0].size // max(1, inputs[0].shape[axis]) + total
    if node.op == "GatherND":
        last = inputs[1].shape[-1] + node.attributes.get("batch_dims", 0)
        return inputs[1].size * math.prod(inputs[0].shape[last:]) + total
    return total


def _product(shape: np.ndarray) -> int:
    """The values of a tensor of that shape; more than may be for one that makes no sense."""
    if shape.dtype.kind not in "iu" or shape.ndim != 1 or shape.size > MOST_DIMENSIONS:
        raise ValueError("a shape must hold a few integers")
    return math.prod(max(0, int(size)) for size in shape)
