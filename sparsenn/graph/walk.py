"""The walk: a model's nodes in execution order, and back, with what the caller carries from value to value.

Carried are arrays, pairs of a value and its bound, masks, names of another framework, or new values. Arrays
have the batch as their last axis, (dims of a sample ..., batch); constants an axis of 1 there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from .node import Node
from .value import Constant, Value

T = TypeVar("T")


def walk(
    model,
    start: dict[Value, T],
    step: Callable[[Node, list[T]], T],
    *,
    constant: Callable[[Constant], T],
    keep: bool = False,
) -> dict[Value, T]:
    """What the outputs of model carry, or with keep every value.

    start     what each input carries
    step      (node, what each of its operands carries) -> what its output carries
    constant  -> what a constant carries
    keep      False: what no further node reads is let go
    """
    carried = dict(start)
    readers = Counter(operand for node in model.nodes for operand in node.inputs)
    readers.update(model.output_values)
    for node in model.nodes:
        operands = [
            constant(operand) if isinstance(operand, Constant) else carried[operand]
            for operand in node.inputs
        ]
        carried[node.output] = step(node, operands)
        for operand in node.inputs:
            readers[operand] -= 1
            if not keep and not readers[operand]:
                carried.pop(operand, None)
    return carried


def walk_back(model, start: dict[Value, T], step: Callable[[Node, T], tuple[T, ...]]) -> None:
    """From the outputs to the inputs: what the readers of a value hand back to it is added up.

    start  what outputs are given
    step   (node, what its output was handed back) -> what it hands back to each of its operands
    """
    carried = dict(start)
    for node in reversed(model.nodes):
        if node.output not in carried:
            continue  # nothing that was given leads here
        handed = step(node, carried.pop(node.output))
        for operand, part in zip(node.inputs, handed, strict=True):
            if isinstance(operand, Value):
                carried[operand] = carried[operand] + part if operand in carried else part
