"""Recurrent layers with the product of the input before them: what other frameworks have as one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..graph.node import Node
from ..graph.value import Value
from ..layers import Conv2d, Recurrent, Reshape, Transpose
from ..model import Model
from ._check import dense_weight


@dataclass(frozen=True)
class Whole:
    """A recurrent layer as one: of x (batch, steps, in), by weights (rows, in) and (rows, hidden).

    Where nothing but the layer reads the product of the input, product is that layer; else None, x is the
    operand of the layer itself, and the weight of the input is a unit matrix.
    """

    layer: Recurrent
    product: Conv2d | None
    x: Value

    @property
    def of_input(self) -> np.ndarray:
        rows = self.layer.shape[0]
        return np.eye(rows, dtype=np.float32) if self.product is None else dense_weight(self.product)

    @property
    def biases(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Of the input and of the state."""
        return None if self.product is None else self.product.bias, self.layer.bias


def wholes(model: Model) -> tuple[dict[Node, Whole], set[Node]]:
    """Of the nodes of recurrent layers what they are with their products, and the nodes that go into them."""
    readers = Counter(operand for node in model.nodes for operand in node.inputs)
    readers.update(model.output_values)
    found: dict[Node, Whole] = {}
    absorbed: set[Node] = set()
    for node in model.nodes:
        if not isinstance(node.layer, Recurrent):
            continue
        chain = _product_behind(node.inputs[0])
        whole = chain is not None and all(readers[own.output] == 1 for own in chain[2:])
        if not whole:
            found[node] = Whole(node.layer, None, node.inputs[0])
            continue
        found[node] = Whole(node.layer, chain[2].layer, chain[0].inputs[0])
        absorbed.update(chain[2:])
        for own in (chain[1], chain[0]):  # unless another reads them too
            if readers[own.output] > 1:
                break
            absorbed.add(own)
    return found, absorbed


def _product_behind(value: Value) -> list[Node] | None:
    """The nodes of a StepwiseLinear that gives value, first to last."""
    chain: list[Node] = []
    for kind in (Transpose, Reshape, Conv2d, Reshape, Transpose):
        node = value.producer if isinstance(value, Value) else None
        if node is None or not isinstance(node.layer, kind):
            return None
        chain.insert(0, node)
        value = node.inputs[0]
    first, _, product, _, last = (node.layer for node in chain)
    window = product.window
    plain = window.kernel == window.stride == (1, 1) and not any(window.padding) and window.rule is None
    rows, columns = product.shape
    shapes = [node.output.dims for node in chain]
    fits = (
        first.axes == last.axes == (2, 1)
        and shapes[1][1:3] == (columns, 1)
        and shapes[3][1:2] == (rows,)
        and len(shapes[1]) == 4
        and len(shapes[3]) == 3
    )
    return chain if plain and fits else None
