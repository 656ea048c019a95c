"""The ONNX operators on data that can be imported: a function each, from a node to its first output."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layers import ReduceMax, ReduceMean, ReduceMin, ReduceSum
from . import _functions
from ._arithmetic import added, per_sample, product, scaled
from ._axis_norms import normalised_along
from ._conditions import truth
from ._data import Data
from ._moves import flattened, reshaped
from ._onnx_attention import attention
from ._onnx_conditions import CONDITION_OPS
from ._onnx_integers import INTEGERS, as_integers, count
from ._onnx_pointwise import POINTWISE_OPS
from ._onnx_recurrent import RECURRENT_OPS
from ._onnx_resize import RESIZE_OPS
from ._onnx_shapes import SHAPE_OPS
from ._onnx_values import Node
from ._onnx_windows import WINDOW_OPS
from ._positions import at_positions
from ._products import matrices
from ._steps import Scale


def gemm(node: Node) -> Data:
    """alpha A' B' + beta C, where A or B is the data and the other a weight; C is a constant or data."""
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    turned = node.attributes.get("transA", 0), node.attributes.get("transB", 0)
    swapped = not isinstance(node.input(0), Data)  # A' (out, in) is the weight, B' (in, batch) the data
    weight = node.weight(0 if swapped else 1)
    if turned[0] if swapped else not turned[1]:
        weight = weight.T
    bias = node.input(2) if beta else None
    plain = alpha == beta == 1 and not swapped and _is_vector(bias, weight.shape[0])
    axis = int(not turned[1]) if swapped else int(bool(turned[0]))
    data = node.data(1 if swapped else 0)
    result = product(data, weight, bias if plain else None, node, axis=axis, result_axis=int(swapped))
    result = scaled(result, alpha, node)
    if plain or bias is None:
        return result
    if isinstance(bias, Data):
        return added(result, scaled(bias, beta, node), node)
    values = node.constant(2)
    if beta != 1:
        values = values.astype(np.float64) * beta
    spread = np.broadcast_to(per_sample(values, result, node), result.sizes)  # so that it is a bias
    return result.then(Scale(np.ones(1), spread, node.name))


def _is_vector(value, size: int) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.shape == (size,)


def matmul(node: Node) -> Data:
    """data (batch, ..., in) @ weight (in, out), weight (out, in) @ data (in, batch), or matrices a sample."""
    left, right = node.input(0), node.input(1)
    data = left if isinstance(left, Data) else right
    other = right if data is left else left
    is_weight = not isinstance(other, Data) and len(getattr(other, "shape", ())) < 3
    if isinstance(data, Data) and data.rank > 2 and not (is_weight and data is left):
        constants = (node.constant(i) for i, own in enumerate(node.inputs) if not isinstance(own, Data))
        return matrices(*(own if isinstance(own, Data) else next(constants) for own in node.inputs), node)
    if data is left:
        multiply = product if node.data(0).rank < 3 else at_positions
        return multiply(node.data(0), node.weight(1).T, None, node)
    return product(node.data(1), node.weight(0), None, node, axis=1, result_axis=1)


def layer_normalization(node: Node) -> Data:
    """LayerNormalization and RMSNormalization, of the last dimension."""
    data, axis = node.data(), node.attributes.get("axis", -1)
    if any(node.used[1:]):
        raise node.fail("give its first output alone")
    return normalised_along(
        data,
        -axis if axis < 0 else data.rank - axis,
        node.constant(1),
        node.constant(2, optional=True),
        node.attributes.get("epsilon", 1e-5),
        node,
        centred=node.op == "LayerNormalization",
    )


def softmax(node: Node) -> Data:
    """Along an axis, it or its logarithm; before opset 13 over all from the axis on."""
    function = _functions.softmax if node.op == "Softmax" else _functions.log_softmax
    data = node.data()
    axis = node.attributes.get("axis", 1 if node.opset < 13 else -1)
    last = axis in (-1, data.rank - 1)
    if node.opset >= 13 or last:
        return function(data, axis, node)
    flat = function(flattened(data, axis, -1, node), -1, node)
    return reshaped(flat, data.shape, node)


def reduced(node: Node) -> Data:
    """A sum, mean, largest or smallest value; axes were attributes before opset 13 or 18."""
    kind = {"ReduceSum": ReduceSum, "ReduceMean": ReduceMean, "ReduceMax": ReduceMax, "ReduceMin": ReduceMin}
    data, axes = node.data(0), node.integers("axes", 1, since=13 if node.op == "ReduceSum" else 18)
    if not axes and node.attributes.get("noop_with_empty_axes", 0):
        return data
    keep = bool(node.attributes.get("keepdims", 1))
    return _functions.reduced(data, kind[node.op], axes or range(data.rank), keep, node)


def batch_normalization(node: Node) -> Data:
    # Before opset 14, to declare more outputs is what tells the training mode.
    more = any(node.outputs[1:]) if node.opset < 14 else any(node.used[1:])
    if node.attributes.get("training_mode", 0) or more:
        raise node.fail("be in inference mode")
    gain, offset, mean, variance = (node.constant(index) for index in range(1, 5))
    shapes = {part.shape for part in (gain, offset, mean, variance)}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise node.bad("have four vectors of one size")
    epsilon = node.attributes.get("epsilon", 1e-5)
    momentum = 1.0 - node.attributes.get("momentum", 0.9)
    return _functions.normalised(
        node.data(), mean, variance, gain, offset, epsilon=epsilon, at=node, momentum=momentum
    )


def constant(node: Node):
    names = [name for name in node.attributes.names() if name.startswith(("value", "sparse_value"))]
    if len(names) != 1:
        raise node.bad(f"have one value, got {len(names)}")
    if names[0] in ("value", "sparse_value"):
        return node.attributes.tensor(names[0])
    if names[0] == "value_float":
        return np.array(node.attributes.get("value_float", 0.0), np.float32)
    if names[0] == "value_int":
        return np.array(node.attributes.get("value_int", 0), np.int64)
    if names[0] in ("value_floats", "value_ints"):
        return np.array(
            node.attributes.numbers(names[0]), np.float32 if names[0][-6:] == "floats" else np.int64
        )
    raise node.fail("hold numbers, got a string")


def dropout(node: Node):
    drops = node.number(2) and node.number(1) != 0
    if drops or any(node.used[1:]):
        raise node.fail("be in inference mode")
    return identity(node)


def identity(node: Node):
    value = node.input(0)
    if value is None:
        raise node.fail("have an input")
    return value


def cast(node: Node):
    """Floats to floats, whole numbers to integers: everything is computed in float32."""
    target, value = node.attributes.get("to", 0), identity(node)
    if isinstance(value, Data) and target == 9:  # BOOL
        return truth(value, node)
    if isinstance(value, Data) and target in INTEGERS:
        return as_integers(value, node)
    if isinstance(value, Data) and target not in (1, 10, 11, 16):  # FLOAT, FLOAT16, DOUBLE, BFLOAT16
        raise node.fail(f"keep data floating-point, got type {target}")
    return value


def cast_like(node: Node):
    """To the type of data, which is computed in float32."""
    value = identity(node)
    return value if isinstance(value, Data) else node.constant(0).astype(np.float32)


OPS: dict[tuple[str, str], Callable] = {
    ("", "Gemm"): gemm,
    ("", "MatMul"): matmul,
    ("", "Softmax"): softmax,
    ("", "LogSoftmax"): softmax,
    **{("", f"Reduce{name}"): reduced for name in ("Sum", "Mean", "Max", "Min")},
    ("", "BatchNormalization"): batch_normalization,
    **dict.fromkeys((("", "LayerNormalization"), ("", "RMSNormalization")), layer_normalization),
    ("", "Attention"): attention,
    ("", "CumSum"): count,
    ("", "Constant"): constant,
    ("", "Dropout"): dropout,
    ("", "Identity"): identity,
    ("", "Cast"): cast,
    ("", "CastLike"): cast_like,
    **{
        ("", name): f
        for name, f in (
            *(*POINTWISE_OPS.items(), *SHAPE_OPS.items(), *WINDOW_OPS.items(), *RESIZE_OPS.items()),
            *(*CONDITION_OPS.items(), *RECURRENT_OPS.items()),
        )
    },
    ("ai.onnx.ml", "ZipMap"): identity,
}
ALWAYS = {("", "Constant"), ("", "Identity"), ("", "Dropout"), ("", "Cast"), ("ai.onnx.ml", "ZipMap")}
LISTED = ", ".join(sorted(name for _domain, name in OPS))
