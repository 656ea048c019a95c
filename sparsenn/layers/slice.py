"""A part of a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..checks import check_integer
from ..errors import ArgumentError
from ..graph.coupling import Coupling, slim
from ..graph.dims import check_axis, check_whole
from ..graph.node import Node
from ..graph.value import Dims
from .move import Move


@dataclass(frozen=True)
class Slice(Move):
    """The places start, start + step, ... below end of axis, as numpy's x[start:end:step]; step at least 1.

    axis counts the batch as 0 and is never 0; end None: to the end.
    """

    axis: int = 1
    start: int = 0
    end: int | None = None
    step: int = 1

    op, integers = "slice", ("axis", "start", "end", "step")

    def __post_init__(self) -> None:
        check_whole("axis", self.axis), check_whole("start", self.start)
        if self.end is not None:
            check_whole("end", self.end)
        check_integer("step", self.step, minimum=1)

    def resolve(self, dims: Dims) -> Slice:
        axis = check_axis("Slice", self.axis, dims)
        if dims[axis] is None:
            raise ArgumentError(f"axis of Slice must be one of a fixed size, got {self.axis} of {dims}")
        start, end, step = slice(self.start, self.end, self.step).indices(dims[axis])
        if start >= end:
            raise ArgumentError(
                f"start and end of Slice must leave a place of {dims[axis]}, got {self.start} and {self.end}"
            )
        return Slice(axis, start, end, step)

    def infer(self, dims: Dims) -> Dims:
        at = self.axis
        return (*dims[:at], len(range(self.start, self.end, self.step)), *dims[at + 1 :])

    @property
    def _places(self) -> tuple[slice, ...]:
        """The index of an array with the batch last."""
        return (*[slice(None)] * (self.axis - 1), slice(self.start, self.end, self.step))

    def value(self, z: np.ndarray) -> np.ndarray:
        return z[self._places]

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        """Every so many places of what is left would be others: of several units all stay."""
        if self.step > 1 and slim(labels).shape[self.axis - 1] > 1:
            coupling.pin(labels, f"before a Slice with step {self.step}")
        return super().follow(coupling, node, labels)

    def shrunk(self, before: list[tuple[np.ndarray, ...]], after: tuple[np.ndarray, ...]) -> Slice:
        (masks,), axis = before, self.axis - 1
        if masks[axis].all():
            return self
        start = int(masks[axis][: self.start].sum())
        return Slice(self.axis, start, start + int(after[axis].sum()))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da at the places that were taken, 0 at the others."""
        dz = np.zeros_like(z)
        dz[self._places] = da
        return dz

    def torch_value(self, torch, x):
        return x[(slice(None), *self._places)]

    def to_onnx(self, graph, x: str) -> str:
        at = [
            graph.integers(name, [value])
            for name, value in (("starts", self.start), ("ends", self.end), ("axes", self.axis))
        ]
        return graph.node("Slice", x, *at, graph.integers("steps", [self.step]))
