"""Which layers read the neurons of a Linear layer, and whether neurons can be taken out there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ..graph.node import Node
from ..graph.value import Value
from ..layers import Activation, Concat, Linear, Matrix
from ..model import Model


@dataclass(frozen=True)
class Reader:
    """A Linear layer that has the neurons at its inputs [start, stop), after these activations.

    layer  its index among model.linear_layers
    """

    layer: int
    start: int
    stop: int
    activations: tuple[Activation, ...]


@dataclass(frozen=True)
class Neurons:
    """The neurons of a Linear layer: who reads them, and why none may be removed, None where some may.

    is_output  they are the model's output, or a part of it
    """

    readers: tuple[Reader, ...]
    obstacle: str | None
    is_output: bool


def neurons_of(model: Model) -> list[Neurons]:
    """For each of model.linear_layers.

    Neurons are followed through activations that work value by value and through Concat, to every Linear
    layer that reads them. Those of a Conv2d, its channels, are not followed. Where anything else reads them
    too, it cannot be told what needs them: they stay.
    """
    reading: dict[Value, dict[Node, None]] = {}
    for node in model.nodes:
        for operand in node.inputs:
            reading.setdefault(operand, {})[node] = None
    places = Counter(id(layer) for layer in model.layers)
    values = {id(node.layer): node.output for node in model.nodes}
    index_of = {id(layer): index for index, layer in enumerate(model.linear_layers)}
    outputs = set(model.output_values)

    def follow(layer: Matrix) -> Neurons:
        readers: list[Reader] = []
        left: list[tuple[Value, int, tuple]] = [(values[id(layer)], 0, ())]
        obstacle = "of a layer that stands at several nodes" if places[id(layer)] > 1 else None
        is_output = False
        if not isinstance(layer, Linear):
            return Neurons((), f"of a {type(layer).__name__}", False)
        while left:
            value, start, activations = left.pop()
            is_output |= value in outputs
            for node in reading.get(value, ()):
                after = node.layer
                if isinstance(after, Linear):
                    if places[id(after)] > 1:
                        obstacle = "before a layer that stands at several nodes"
                    stop = start + layer.shape[0]
                    readers.append(Reader(index_of[id(after)], start, stop, activations))
                elif isinstance(after, Activation) and not after.mixes_features:
                    left.append((node.output, start, (*activations, after)))
                elif isinstance(after, Concat):
                    left += [(node.output, start + offset, activations) for offset in _offsets(node, value)]
                else:
                    name = type(after).__name__
                    obstacle = f"before {'an' if name[0] in 'AEIOU' else 'a'} {name}"
        if is_output and obstacle is None:
            obstacle = "of an output"
        return Neurons(tuple(readers), obstacle, is_output)

    return [follow(layer) for layer in model.linear_layers]


def _offsets(node: Node, value: Value) -> list[int]:
    """Where the features of value begin in a Concat's, for each time that it is among the operands."""
    found, begin = [], 0
    for operand in node.inputs:
        if operand is value:
            found.append(begin)
        begin += operand.dims[1]
    return found
