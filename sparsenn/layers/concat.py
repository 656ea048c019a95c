"""Values one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..errors import ArgumentError
from ..graph.coupling import Coupling, shape_of
from ..graph.dims import check_axis, check_whole
from ..graph.node import Node
from ..graph.value import Dims
from .layer import Layer
from .move import Move


@dataclass(frozen=True)
class Concat(Move):
    """Its operands one after the other along axis, which counts the batch as 0 and is never 0.

    Some may be constants of as many dims: the same for every sample, as a token in front of others.
    """

    axis: int = 1

    op, integers, torch_takes_batch = "concat", ("axis",), True
    operands, takes_constants = (1, math.inf), True

    def __post_init__(self) -> None:
        check_whole("axis", self.axis)

    def resolve(self, *dims: Dims) -> Concat:
        return replace(self, axis=check_axis("Concat", self.axis, dims[0]))

    def infer(self, *dims: Dims) -> Dims:
        first, at = dims[0], self.axis
        for own in dims[1:]:
            if own[1:at] + own[at + 1 :] != first[1:at] + first[at + 1 :] or len(own) != len(first):
                raise ArgumentError(
                    f"operands of Concat must be alike but for axis {at}, got {first} and {own}"
                )
        sizes = [own[at] for own in dims]
        return (None, *first[1:at], None if None in sizes else sum(sizes), *first[at + 1 :])

    def value(self, *z: np.ndarray) -> np.ndarray:
        batch = max(own.shape[-1] for own in z) if all(own.shape[-1] for own in z) else 0
        return np.concatenate(
            [np.broadcast_to(own, (*own.shape[:-1], batch)) for own in z], axis=self.axis - 1
        )

    def gradient(self, *arguments: np.ndarray) -> tuple[np.ndarray, ...]:
        """Each operand's part of da."""
        *z, _, da = arguments
        ends = np.cumsum([own.shape[self.axis - 1] for own in z])[:-1]
        parts = np.split(da, ends, axis=self.axis - 1)
        return tuple(
            part if own.shape == part.shape else part.sum(axis=-1, keepdims=True)
            for own, part in zip(z, parts, strict=True)
        )

    def follow(self, coupling: Coupling, node: Node, *labels: np.ndarray | None) -> np.ndarray:
        """Along an axis of unknown size all operands are one place: what they hold there goes together."""
        labels = tuple(
            np.broadcast_to(np.int64(0), shape_of(operand.dims)) if own is None else own
            for own, operand in zip(labels, node.inputs, strict=True)
        )
        if node.output.dims[self.axis] is not None:
            return super().follow(coupling, node, *labels)
        first = [own.take([0], axis=self.axis - 1) for own in labels]
        for own, place in zip(labels, first, strict=True):
            coupling.join(own, place)
            coupling.join(first[0], place)
        return first[0]

    def constant(self, node: Node, *z: np.ndarray) -> np.ndarray:
        unknown = node.output.dims[self.axis] is None
        return Layer.constant(self, node, *z) if unknown else super().constant(node, *z)

    def torch_value(self, torch, *x):
        return torch.cat(x, dim=self.axis)

    def to_onnx(self, graph, *x: str) -> str:
        names = (graph.repeated(own, i) for i, own in enumerate(x))
        return graph.node("Concat", *names, axis=self.axis)
