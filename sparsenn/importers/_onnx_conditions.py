"""The ONNX operators that compare, join what comparisons give, and choose by it."""

from __future__ import annotations

from collections.abc import Callable

from ._arithmetic import combined
from ._conditions import compared, negated, numbers, truth, where
from ._data import Data
from ._onnx_integers import equal
from ._onnx_values import Node


def _both(node: Node) -> list:
    return [
        value if isinstance(value, Data) else node.constant(index) for index, value in enumerate(node.inputs)
    ]


def comparison(node: Node) -> Data:
    """Of floats; integers of the input are compared by Equal alone."""
    if node.op == "Equal" and node.whole:
        return equal(node)
    left, right = _both(node)
    if node.op.startswith("Greater"):
        left, right = right, left
    return compared(
        {"Equal": "Equal"}.get(node.op, "LessEqual" if "Or" in node.op else "Less"), left, right, node
    )


def joined(node: Node) -> Data:
    """And, Or: of what is 1 or 0 the product, the larger."""
    left, right = (truth(value, node) if isinstance(value, Data) else numbers(value) for value in _both(node))
    return combined("Mul" if node.op == "And" else "Max", left, right, node)


def not_of(node: Node) -> Data:
    return negated(truth(node.data(), node), node)


def where_of(node: Node) -> Data:
    return where(*_both(node), node)


CONDITION_OPS: dict[str, Callable] = {
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), comparison),
    **dict.fromkeys(("And", "Or"), joined),
    "Not": not_of,
    "Where": where_of,
}
