"""If in an ONNX graph: the branch that a constant condition chooses stands where the node stood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnx

from ..errors import FormatError, UnsupportedError
from ._onnx_file import as_text

BRANCHES = ("else_branch", "then_branch")


def is_if(node: onnx.NodeProto) -> bool:
    return node.op_type == "If" and node.domain in ("", "ai.onnx")


def branches(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """What is done where the condition is false, and where it is true."""
    found = {as_text(own.name): own.g for own in node.attribute if own.type == onnx.AttributeProto.GRAPH}
    if sorted(found) != sorted(BRANCHES) or any(len(g.output) != len(node.output) for g in found.values()):
        count = len(node.output)
        raise FormatError(f"op 'If' must have two branches of {count} outputs, got {sorted(found)[:8]}")
    return [found[name] for name in BRANCHES]


def spread(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes in order, those of both branches before each If, and what makes its outputs of theirs."""
    for node in nodes:
        if not is_if(node):
            yield node
            continue
        for graph in branches(node):
            yield from spread(graph.node)
            for given, made in zip(graph.output, node.output, strict=True):
                yield onnx.NodeProto(op_type="Identity", input=[given.name], output=[made])
        yield onnx.NodeProto(op_type="If", input=node.input)


def read_by(node: onnx.NodeProto) -> set[str]:
    """The names that a node reads, with those that its branches read from outside."""
    names = {name for name in node.input if name}
    if not is_if(node):
        return names
    for graph in branches(node):
        own = {tensor.name for tensor in graph.initializer}
        own.update(tensor.values.name for tensor in graph.sparse_initializer)
        inner = {value.name for value in graph.output}
        for part in graph.node:
            own.update(part.output)
            inner |= read_by(part)
        names |= inner - own
    return names


def chosen(node: onnx.NodeProto, condition, label: str) -> onnx.GraphProto:
    """The branch that a condition chooses."""
    if not isinstance(condition, np.ndarray):
        raise UnsupportedError(
            f"op 'If' of node {label} must have a condition that is a constant; where it depends on an input "
            f"that is the same in every run, give constants={{name: value}}"
        )
    if condition.size != 1 or condition.dtype.kind not in "biuf":
        raise FormatError(f"op 'If' of node {label} must have one condition, got shape {condition.shape}")
    return branches(node)[bool(condition.reshape(()))]
