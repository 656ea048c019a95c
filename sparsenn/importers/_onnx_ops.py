"""The ONNX operators that can be imported: a function each, from a node to its first output."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..errors import FormatError
from ..layers import ELU, GELU, ClippedReLU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Tanh
from ._named import batch_norm
from ._onnx_shapes import SHAPE_OPS, flatten, reshape, transpose
from ._onnx_values import BatchAxisError, Data, Erf, Node, fork, steps_after
from ._steps import Affine, Scale

LARGEST = float(np.finfo(np.float32).max)


def gemm(node: Node):
    """alpha A' B' + beta C, where A or B is the data and the other a weight."""
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    first, second = node.attributes.get("transA", 0), node.attributes.get("transB", 0)
    if isinstance(node.input(0), Data):
        data, weight = node.data(0), node.weight(1)  # A' (batch, in), B' (in, out)
        data = node.flat(data, batch_axis=1 if first else 0)
        weight = weight if second else weight.T
        result_axis = 0
    else:
        data, weight = node.data(1), node.weight(0)  # A' (out, in), B' (in, batch)
        data = node.flat(data, batch_axis=0 if second else 1)
        weight = weight.T if first else weight
        result_axis = 1
    result = _product(node, data, weight, batch_axis=result_axis)
    if alpha != 1:
        result = result.then(Scale(np.array([alpha]), np.zeros(1), node.where))
    bias = node.constant(2, optional=True)
    if bias is not None and beta != 0:
        values = node.per_feature(bias, result)
        values = values if beta == 1 else values.astype(np.float64) * beta
        result = result.then(Scale(np.ones(1), np.broadcast_to(values, result.sizes), node.where))
    return result


def matmul(node: Node):
    """data (batch, in) @ weight (in, out), or weight (out, in) @ data (in, batch)."""
    if isinstance(node.input(0), Data):
        return _product(node, node.flat(node.data(0)), node.weight(1).T, batch_axis=0)
    return _product(node, node.flat(node.data(1), batch_axis=1), node.weight(0), batch_axis=1)


def _product(node: Node, data: Data, weight, *, batch_axis: int) -> Data:
    """weight (out, in) times the features of data."""
    if data.features not in (None, weight.shape[1]):
        raise FormatError(
            f"op {node.op!r} of node {node.label} must have a weight for {data.features} features, "
            f"got {weight.shape[1]}"
        )
    result = data.then(Affine(weight, None, node.where), sizes=(weight.shape[0],))
    return Data(result.chain, result.sizes, data.batch, batch_axis)


def arithmetic(node: Node):
    """data and a constant, or the formula of GELU or SiLU."""
    left, right = node.input(0), node.input(1)
    if isinstance(left, Data) and isinstance(right, Data):
        if node.op == "Mul":
            return _formula(node, left, right)
        raise node.fail("have one constant input: data cannot branch and join again")
    data, other = (left, 1) if isinstance(left, Data) else (node.data(1), 0)
    values = node.per_feature(node.constant(other), data)
    one, zero = np.ones(1), np.zeros(1)
    if node.op == "Add":
        step = Scale(one, values, node.where)
    elif node.op == "Sub":
        step = Scale(one, -_real(values), node.where) if other == 1 else Scale(-one, values, node.where)
    elif node.op == "Mul":
        step = Scale(values, zero, node.where)
    elif other == 1:
        with np.errstate(divide="ignore"):
            step = Scale(1 / _real(values), zero, node.where)
    else:
        raise node.fail("divide data by a constant, not a constant by data")
    return data.then(step)


def _real(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64)


def _formula(node: Node, left: Data, right: Data) -> Data:
    """x sigmoid(x), a SiLU, or c x (erf(x / sqrt 2) + 1), a GELU with a factor of 2 c; in either order."""
    shared = fork([left.chain, right.chain])
    first, second = (steps_after(data.chain, shared) for data in (left, right))
    factor, formula = _factor(first), _erf_terms(second)
    if factor is None or formula is None:
        factor, formula = _factor(second), _erf_terms(first)
    start = Data(shared, left.sizes, left.batch, left.batch_axis)
    if [] in (first, second) and [Sigmoid()] in (first, second):
        return start.then(SiLU())
    if factor is None or formula is None:
        raise node.fail(
            "have one constant input, or be x (erf(x / sqrt 2) + 1), the formula of GELU, or x sigmoid(x), "
            "that of SiLU"
        )
    scale = 2 * factor * formula
    result = start.then(GELU())
    if math.isclose(scale, 1, rel_tol=1e-6):
        return result
    return result.then(Scale(np.array([scale]), np.zeros(1), node.where))


def _factor(scales: list) -> float | None:
    """The factor of a run of scales without shift; None for anything else."""
    if not all(isinstance(step, Scale) and step.scale.size == 1 and not step.shift.any() for step in scales):
        return None
    return math.prod(float(step.scale[0]) for step in scales)


def _erf_terms(steps: list) -> float | None:
    """t of t (erf(x / sqrt 2) + 1); None for anything else."""
    places = [index for index, step in enumerate(steps) if isinstance(step, Erf)]
    if len(places) != 1:
        return None
    inner = _factor(steps[: places[0]])
    if inner is None or not math.isclose(inner, math.sqrt(0.5), rel_tol=1e-5):
        return None
    scale, shift = 1.0, 0.0
    for step in steps[places[0] + 1 :]:
        if not isinstance(step, Scale) or step.scale.size != 1 or step.shift.size != 1:
            return None
        scale, shift = scale * float(step.scale[0]), shift * float(step.scale[0]) + float(step.shift[0])
    return scale if scale != 0 and math.isclose(scale, shift, rel_tol=1e-6) else None


def clip(node: Node):
    """min(max(x, low), high); the limits were attributes before opset 11."""
    data = node.data()
    if node.opset < 11:
        low, high = (
            node.attributes.get(name, default) for name, default in (("min", -LARGEST), ("max", LARGEST))
        )
    else:
        limits = (node.number(1), node.number(2))
        low, high = (
            default if x is None else x for x, default in zip(limits, (-LARGEST, LARGEST), strict=True)
        )
    low, high = max(low, -LARGEST), min(high, LARGEST)
    if (low, high) == (-LARGEST, LARGEST):
        return data
    if not low < high:
        raise node.fail(f"have a lower limit below the upper one, got {low} and {high}")
    return data.then(ReLU() if (low, high) == (0.0, LARGEST) else ClippedReLU(low=low, high=high))


def leaky_relu(node: Node):
    alpha = node.attributes.get("alpha", 0.01)
    if not math.isfinite(alpha):
        raise node.fail(f"have a finite alpha, got {alpha:g}")
    return node.data().then(LeakyReLU(alpha))


def gelu(node: Node):
    if node.attributes.get("approximate", "none") != "none":
        raise node.fail("be the exact form, got an approximation")
    return node.data().then(GELU())


def elu(node: Node):
    alpha = node.attributes.get("alpha", 1.0)
    if not 0 < alpha < math.inf:
        raise node.fail(f"have a finite alpha above 0, got {alpha:g}")
    return node.data().then(ELU(alpha=alpha))


def softmax(node: Node):
    """Over the features of a sample; before opset 13 the axis begins the features."""
    data = node.data()
    rank = len(data.sizes) + 1
    axis = node.attributes.get("axis", 1 if node.opset < 13 else -1)
    axis = axis + rank if axis < 0 else axis
    if rank == 2 and axis != 1 - data.batch_axis:
        raise BatchAxisError(str(node.fail(f"be over the features, got axis {axis}")))
    if rank != 2 and not (node.opset < 13 and axis == 1):
        raise node.fail(f"be over all features of a sample, got axis {axis} of {rank}")
    return data.then(Softmax())


def batch_normalization(node: Node):
    data = node.data()
    # Before opset 14, to declare more outputs is what tells the training mode.
    more = any(node.outputs[1:]) if node.opset < 14 else any(node.used[1:])
    if node.attributes.get("training_mode", 0) or more:
        raise node.fail("be in inference mode")
    if data.batch_axis != 0:
        raise BatchAxisError(str(node.fail("have the batch in dimension 0")))
    gain, offset, mean, variance = (node.constant(index) for index in range(1, 5))
    shapes = {part.shape for part in (gain, offset, mean, variance)}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise FormatError(f"op {node.op!r} of node {node.label} must have four vectors of one size")
    if data.sizes[0] not in (None, *gain.shape):
        raise FormatError(
            f"op {node.op!r} of node {node.label} must have {data.sizes[0]} channels, got {gain.size}"
        )
    epsilon = node.attributes.get("epsilon", 1e-5)
    scale = batch_norm(mean, variance, gain, offset, epsilon=epsilon, name=node.where)
    channels = (-1, *(1 for _ in data.sizes[1:]))
    parts = (node.spread(part.reshape(channels), data) for part in (scale.scale, scale.shift))
    return data.then(Scale(*parts, node.where))


def constant(node: Node):
    names = [name for name in node.attributes.names() if name.startswith(("value", "sparse_value"))]
    if len(names) != 1:
        raise FormatError(f"op {node.op!r} of node {node.label} must have one value, got {len(names)}")
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
    training = node.number(2)
    if training or any(node.used[1:]):
        raise node.fail("be in inference mode")
    return node.data()


def identity(node: Node):
    value = node.input(0)
    if value is None:
        raise node.fail("have an input")
    return value


def cast(node: Node):
    """Floats to floats: everything is computed in float32."""
    target = node.attributes.get("to", 0)
    value = identity(node)
    if isinstance(value, Data):
        if target not in (1, 10, 11, 16):  # FLOAT, FLOAT16, DOUBLE, BFLOAT16
            raise node.fail(f"keep data floating-point, got type {target}")
        return value
    kinds = {1: np.float32, 10: np.float16, 11: np.float64, 6: np.int32, 7: np.int64}
    if not isinstance(value, np.ndarray):
        return value
    if target not in kinds:
        raise node.fail(f"be to floats or integers, got type {target}")
    with np.errstate(over="ignore", invalid="ignore"):
        return value.astype(kinds[target])


def concat(node: Node):
    """Several scaled copies of one tensor side by side: [1 - p, p] for two classes."""
    if not any(isinstance(value, Data) for value in node.inputs):
        return SHAPE_OPS["Concat"](node)
    parts = [node.flat(node.data(index)) for index in range(len(node.inputs))]
    if node.attributes.get("axis", 0) not in (1, -1):
        raise node.fail("be along the features (axis 1)")
    start = fork([part.chain for part in parts])
    rests = [steps_after(part.chain, start) for part in parts]
    if any(len(rest) > 1 or not all(isinstance(step, Scale) for step in rest) for rest in rests):
        raise node.fail("join scaled copies of one tensor: data cannot branch and join again")
    width = parts[0].features
    if width is None or width * len(parts) > 4096:
        raise node.fail(f"join a few features, got {width} each")
    scales = [rest[0] if rest else Scale(np.ones(1), np.zeros(1), node.where) for rest in rests]
    weight = np.vstack([np.diag(np.broadcast_to(_real(scale.scale), (width,))) for scale in scales])
    bias = np.concatenate([np.broadcast_to(_real(scale.shift), (width,)) for scale in scales])
    base = Data(start, (width,), parts[0].batch, parts[0].batch_axis)
    return base.then(Affine(weight, bias, node.where), sizes=(len(bias),))


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
    ("", "BatchNormalization"): batch_normalization,
    ("", "Constant"): constant,
    ("", "Dropout"): dropout,
    ("", "Identity"): identity,
    ("", "Cast"): cast,
    ("", "Flatten"): flatten,
    ("", "Reshape"): reshape,
    ("", "Transpose"): transpose,
    ("", "Concat"): concat,
    **{("", name): function for name, function in SHAPE_OPS.items() if name != "Concat"},
    ("ai.onnx.ml", "ZipMap"): identity,
}
LISTED = ", ".join(sorted(name for _domain, name in OPS))
