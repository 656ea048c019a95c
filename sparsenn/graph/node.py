"""The nodes of a graph: a layer, what it reads and what it computes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from .value import Constant, Value, as_constant

if TYPE_CHECKING:
    from ..layers import Layer

_numbers = itertools.count()


class Node:
    """A layer at its place in a graph; a layer that stands at two nodes is one, with the same weights.

    inputs  the values and constants that it reads, in order;  output  the Value that it computes
    """

    __slots__ = ("layer", "inputs", "output", "number")

    def __init__(self, layer: Layer, inputs: tuple[Value | Constant, ...], name: str | None = None):
        """name: of the output. ArgumentError where the layer does not take what it is to read."""
        self.layer, self.inputs = layer, inputs
        self.output = Value(name, layer.infer(*(operand.dims for operand in inputs)), self)
        self.number = next(_numbers)  # a node is made after those that it reads: the order in which they run

    def __repr__(self) -> str:
        return f"Node({self.layer!r}, {self.output.dims})"


def call(layer: Layer, operands: tuple) -> Value:
    """What layer computes of operands: Values, and constants or arrays that become them."""
    kind = type(layer).__name__
    least, most = layer.operands
    if not least <= len(operands) <= most:
        wanted = f"{least}" if least == most else f"at least {least}"
        raise TypeError(f"{kind} must be called on {wanted} operands, got {len(operands)}")
    ranks = [len(operand.dims) for operand in operands if isinstance(operand, Value)]
    if not ranks:
        raise TypeError(
            f"{kind} must be called on a Value, which sparsenn.Input makes, got {type(operands[0]).__name__}"
        )
    inputs = tuple(
        operand
        if isinstance(operand, (Value, Constant))
        else as_constant(operand, rank=max(ranks), name=f"operand {index} of {kind}")
        for index, operand in enumerate(operands)
    )
    constants = [operand for operand in inputs if isinstance(operand, Constant)]
    if constants and not layer.takes_constants:
        raise ArgumentError(f"operands of {kind} must be Values, got a constant: {constants[0]!r}")
    return Node(layer.resolve(*(operand.dims for operand in inputs)), inputs).output
