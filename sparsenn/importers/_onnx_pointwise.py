"""The ONNX operators that work value by value, on data or on data and constants."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from ..layers import Abs, Exp, HardSwish, Log, Mish, ReLU, Sigmoid, SiLU, Sqrt, Tanh
from . import _functions, _powers
from ._arithmetic import combined, scaled
from ._data import Data
from ._functions import LARGEST
from ._onnx_values import Node
from ._wires import Erf, IsNaN


def arithmetic(node: Node) -> Data:
    """Add, Sub, Mul and Div of data and data, or data and a constant."""
    return combined(node.op, *_operands(node), node)


def _operands(node: Node) -> list[Data | np.ndarray]:
    return [
        value if isinstance(value, Data) else node.constant(index) for index, value in enumerate(node.inputs)
    ]


def all_of(op: str, node: Node) -> Data:
    """All inputs added up, or the smallest or largest of them; the data first, then the constants."""
    operands = sorted(_operands(node), key=lambda operand: not isinstance(operand, Data))
    return functools.reduce(lambda left, right: combined(op, left, right, node), operands)


def mean_of(node: Node) -> Data:
    return scaled(all_of("Add", node), 1 / len(node.inputs), node)


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


def prelu(node: Node) -> Data:
    slopes = node.input(1)
    return _functions.prelu(node.data(0), slopes if isinstance(slopes, Data) else node.constant(1), node)


def gelu(node: Node) -> Data:
    return _functions.gelu(node.data(), node.attributes.get("approximate", "none"), node)


def elu(node: Node) -> Data:
    return _functions.elu(node.data(), node.attributes.get("alpha", 1.0), node)


def celu(node: Node) -> Data:
    return _functions.celu(node.data(), node.attributes.get("alpha", 1.0), node)


def selu(node: Node) -> Data:
    alpha = node.attributes.get("alpha", 1.67326319217681884765625)
    return _functions.selu(node.data(), alpha, node.attributes.get("gamma", 1.05070102214813232421875), node)


def hard_sigmoid(node: Node) -> Data:
    alpha, beta = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    return _functions.hard_sigmoid(node.data(), alpha, beta, node)


def softplus(node: Node) -> Data:
    return _functions.softplus(node.data(), 1.0, LARGEST, node)


def softsign(node: Node) -> Data:
    return _functions.softsign(node.data(), node)


def reciprocal(node: Node) -> Data:
    return _powers.reciprocal(node.data(), node)


def power(node: Node) -> Data:
    """Data to an exponent, or a number to the data."""
    if not isinstance(node.input(0), Data):
        return _powers.exponential(node.number(0), node.data(1), node)
    exponents = node.constant(1)
    if exponents.size == 0 or (exponents != exponents.reshape(-1)[0]).any():
        raise node.fail(f"have one exponent, got different ones of shape {exponents.shape}")
    if exponents.ndim > node.data(0).rank:
        raise node.fail(f"not add dimensions, got exponents of shape {exponents.shape} for {node.data(0)}")
    return _powers.power(node.data(0), float(exponents.reshape(-1)[0]), node)


def swish(node: Node) -> Data:
    """x sigmoid(alpha x), which is SiLU(alpha x) / alpha."""
    data, alpha = node.data(), node.attributes.get("alpha", 1.0)
    if alpha in (0.0, 1.0):
        return data.then(SiLU()) if alpha else scaled(data, 0.5, node)
    return scaled(scaled(data, alpha, node).then(SiLU()), 1 / alpha, node)


def activation(layer: object) -> Callable:
    return lambda node: node.data().then(layer)


POINTWISE_OPS: dict[str, Callable] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), arithmetic),
    **{name: functools.partial(all_of, op) for name, op in (("Sum", "Add"), ("Min", "Min"), ("Max", "Max"))},
    "Mean": mean_of,
    "Neg": negative,
    "Reciprocal": reciprocal,
    "Pow": power,
    **{
        name: activation(layer())
        for name, layer in (("Abs", Abs), ("Exp", Exp), ("Log", Log), ("Sqrt", Sqrt))
    },
    **{name: activation(layer()) for name, layer in (("Relu", ReLU), ("Tanh", Tanh), ("Sigmoid", Sigmoid))},
    "HardSwish": activation(HardSwish()),
    "Mish": activation(Mish()),
    "Swish": swish,
    "Erf": activation(Erf()),
    "IsNaN": activation(IsNaN()),
    "LeakyRelu": leaky_relu,
    "PRelu": prelu,
    "Gelu": gelu,
    "Elu": elu,
    "Celu": celu,
    "Selu": selu,
    "HardSigmoid": hard_sigmoid,
    "Softplus": softplus,
    "Softsign": softsign,
    "Clip": clip,
}
