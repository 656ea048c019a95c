"""The nodes and values of a model, from its inputs and outputs: checked, copied and named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import ArgumentError
from .node import Node
from .value import Constant, Value, check_name

Named = list[tuple[str | None, Value]]


def build(inputs, outputs) -> tuple[tuple[Node, ...], tuple[Value, ...], tuple[Value, ...]]:
    """-> nodes in execution order, input values, output values; the caller's values are left as they are.

    inputs, outputs  each a Value, a sequence of Values, or a dict of name to Value
    """
    given, wanted = _as_named("inputs", inputs), _as_named("outputs", outputs)
    for name, value in given:
        if value.producer is not None:
            raise ArgumentError(f"inputs must be made by Input, got {value!r}{_at(name)}")
    for name, value in wanted:
        if value.producer is None:
            raise ArgumentError(f"outputs must be computed by a layer, got {value!r}{_at(name)}")
    nodes = _nodes_of([value for _, value in wanted])
    _check_inputs([value for _, value in given], nodes)
    named = _name(given, wanted)
    return _copy(nodes, [value for _, value in given], [value for _, value in wanted], named)


def _as_named(argument: str, values) -> Named:
    if isinstance(values, Value):
        pairs: list = [(None, values)]
    elif isinstance(values, Mapping):
        pairs = [(check_name(name), value) for name, value in values.items()]
    elif isinstance(values, Sequence) and not isinstance(values, str):
        pairs = [(None, value) for value in values]
    else:
        raise TypeError(
            f"{argument} must be a Value, a sequence of Values or a dict of name to Value, "
            f"got {type(values).__name__}"
        )
    if not pairs:
        raise ArgumentError(f"{argument} must hold at least one Value, got none")
    for index, (name, value) in enumerate(pairs):
        if not isinstance(value, Value):
            place = index if name is None else repr(name)
            raise TypeError(f"{argument}[{place}] must be a Value, got {type(value).__name__}")
    if len({value for _, value in pairs}) < len(pairs):
        raise ArgumentError(f"{argument} must hold each Value once, got one twice")
    return pairs


def _at(name: str | None) -> str:
    return "" if name is None else f" as {name!r}"


def _nodes_of(outputs: list[Value]) -> list[Node]:
    """The nodes that outputs are computed by, in the order in which they were made."""
    found: set[Node] = set()
    left = [value.producer for value in outputs]
    while left:
        node = left.pop()
        if node not in found:
            found.add(node)
            left += [
                operand.producer
                for operand in node.inputs
                if isinstance(operand, Value) and operand.producer is not None
            ]
    return sorted(found, key=lambda node: node.number)


def _check_inputs(inputs: list[Value], nodes: list[Node]) -> None:
    read = {
        operand: None
        for node in nodes
        for operand in node.inputs
        if isinstance(operand, Value) and operand.producer is None
    }
    for value in read:
        if value not in inputs:
            raise ArgumentError(
                f"inputs must hold every Input that outputs are computed from, got none for {value!r}"
            )
    for value in inputs:
        if value not in read:
            raise ArgumentError(f"inputs must be read for the outputs, got {value!r}, which is not")


def _name(inputs: Named, outputs: Named) -> dict[Value, str]:
    """The name of each: as given, the one that it has, or x and y, numbered where there are several."""
    named = {value: name or value.name for name, value in [*inputs, *outputs]}
    taken: set[str] = set()
    for name in filter(None, named.values()):
        if name in taken:
            raise ArgumentError(f"inputs and outputs must have names of their own, got {name!r} twice")
        taken.add(name)
    for stem, pairs in (("x", inputs), ("y", outputs)):
        for index, (_, value) in enumerate(pairs):
            named[value] = named[value] or _free(stem if len(pairs) == 1 else f"{stem}{index}", taken)
    return named


def _free(name: str, taken: set[str]) -> str:
    """The name, with underscores behind it where it is taken; it then is."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _copy(nodes: list[Node], inputs: list[Value], outputs: list[Value], named: dict[Value, str]):
    copies: dict = {value: Value(named[value], value.dims) for value in inputs}
    taken, constants, made = set(named.values()), 0, []
    for index, node in enumerate(nodes):
        for operand in node.inputs:
            if isinstance(operand, Constant) and operand not in copies:
                copies[operand] = Constant(_free(f"c{constants}", taken), operand.array)
                constants += 1
        name = named.get(node.output) or _free(f"h{index}", taken)
        copy = Node(node.layer, tuple(copies[operand] for operand in node.inputs), name)
        copies[node.output] = copy.output
        made.append(copy)
    return tuple(made), tuple(copies[value] for value in inputs), tuple(copies[value] for value in outputs)
