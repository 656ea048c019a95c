"""The ONNX operators on data that can be imported: a function each, from a node to its first output."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layers import GELU, ReduceMax, ReduceMean, ReduceMin, ReduceSum, ReLU, Sigmoid, Tanh
from . import _functions
from ._arithmetic import added, combined, per_sample, plus, product, scaled
from ._data import Data
from ._functions import LARGEST
from ._moves import flattened, reshaped
from ._onnx_resize import RESIZE_OPS
from ._onnx_shapes import SHAPE_OPS
from ._onnx_values import Node
from ._onnx_windows import WINDOW_OPS
from ._steps import Scale
from ._wires import Erf


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
    """data (batch, in) @ weight (in, out), or weight (out, in) @ data (in, batch)."""
    if isinstance(node.input(0), Data):
        return product(node.data(0), node.weight(1).T, None, node)
    return product(node.data(1), node.weight(0), None, node, axis=1, result_axis=1)


def arithmetic(node: Node) -> Data:
    """Add, Sub, Mul and Div of data and a constant; all but Div also of data and data."""
    operands = [
        value if isinstance(value, Data) else node.constant(index)
        for index, value in enumerate((node.input(0), node.input(1)))
    ]
    return combined(node.op, *operands, node)


def sum_of(node: Node) -> Data:
    """All inputs added up."""
    parts = [value for value in node.inputs if isinstance(value, Data)]
    result = parts[0]
    for part in parts[1:]:
        result = added(result, part, node)
    for index, value in enumerate(node.inputs):
        if not isinstance(value, Data):
            result = plus(result, node.constant(index), node)
    return result


def negative(node: Node) -> Data:
    return scaled(node.data(), -1, node)


def clip(node: Node) -> Data:
    """min(max(x, low), high); the limits were attributes before opset 11."""
    data = node.data()
    if node.opset < 11:
        limits = (
            node.attributes.get(name, default) for name, default in (("min", -LARGEST), ("max", LARGEST))
        )
    else:
        limits = (node.number(1), node.number(2))
    return _functions.clipped(data, *limits, node)


def leaky_relu(node: Node) -> Data:
    return _functions.leaky_relu(node.data(), node.attributes.get("alpha", 0.01), node)


def gelu(node: Node) -> Data:
    if node.attributes.get("approximate", "none") != "none":
        raise node.fail("be the exact form, got an approximation")
    return node.data().then(GELU())


def elu(node: Node) -> Data:
    return _functions.elu(node.data(), node.attributes.get("alpha", 1.0), node)


def softmax(node: Node) -> Data:
    """Along an axis; before opset 13 over all from the axis on."""
    data = node.data()
    axis = node.attributes.get("axis", 1 if node.opset < 13 else -1)
    last = axis in (-1, data.rank - 1)
    if node.opset >= 13 or last:
        return _functions.softmax(data, axis, node)
    flat = _functions.softmax(flattened(data, axis, -1, node), -1, node)
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
    return _functions.normalised(node.data(), mean, variance, gain, offset, epsilon=epsilon, at=node)


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
    if node.number(2) or any(node.used[1:]):
        raise node.fail("be in inference mode")
    return identity(node)


def identity(node: Node):
    value = node.input(0)
    if value is None:
        raise node.fail("have an input")
    return value


def cast(node: Node):
    """Floats to floats: everything is computed in float32."""
    target, value = node.attributes.get("to", 0), identity(node)
    if isinstance(value, Data) and target not in (1, 10, 11, 16):  # FLOAT, FLOAT16, DOUBLE, BFLOAT16
        raise node.fail(f"keep data floating-point, got type {target}")
    return value


def activation(layer: object) -> Callable:
    return lambda node: node.data().then(layer)


OPS: dict[tuple[str, str], Callable] = {
    ("", "Gemm"): gemm,
    ("", "MatMul"): matmul,
    **{("", name): arithmetic for name in ("Add", "Sub", "Mul", "Div")},
    ("", "Relu"): activation(ReLU()),
    ("", "Tanh"): activation(Tanh()),
    ("", "Sigmoid"): activation(Sigmoid()),
    ("", "LeakyRelu"): leaky_relu,
    ("", "Gelu"): gelu,
    ("", "Elu"): elu,
    ("", "Erf"): activation(Erf()),
    ("", "Clip"): clip,
    ("", "Softmax"): softmax,
    **{("", f"Reduce{name}"): reduced for name in ("Sum", "Mean", "Max", "Min")},
    ("", "BatchNormalization"): batch_normalization,
    ("", "Constant"): constant,
    ("", "Dropout"): dropout,
    ("", "Identity"): identity,
    ("", "Cast"): cast,
    ("", "Sum"): sum_of,
    ("", "Neg"): negative,
    **{("", name): function for name, function in (SHAPE_OPS | WINDOW_OPS | RESIZE_OPS).items()},
    ("ai.onnx.ml", "ZipMap"): identity,
}
ALWAYS = {("", "Constant"), ("", "Identity"), ("", "Dropout"), ("", "Cast"), ("ai.onnx.ml", "ZipMap")}
LISTED = ", ".join(sorted(name for _domain, name in OPS))
