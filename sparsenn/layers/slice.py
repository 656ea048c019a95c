"""A part of a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..checks import check_integer
from ..errors import ArgumentError
from ..graph.coupling import Coupling, shape_of, slim
from ..graph.dims import check_axis, check_whole
from ..graph.node import Node
from ..graph.value import Dims
from .layer import Layer
from .move import Move

TO_THE_END = 2**31 - 1  # no dim is larger


@dataclass(frozen=True)
class Slice(Move):
    """The places start, start + step, ... below end of axis, as numpy's x[start:end:step]; step at least 1.

    axis counts the batch as 0 and is never 0; start and end below 0 count from the end; end None: to the end.
    Of a dim that is known only when it runs they stay as they are.
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
        size, start, end, step = dims[axis], self.start, self.end, self.step
        if size is not None:
            start, end, step = slice(start, end, step).indices(size)
        if end is not None and start >= end and (size is not None or (start < 0) == (end < 0)):
            raise ArgumentError(
                f"start and end of Slice must leave a place of {'any' if size is None else size}, "
                f"got {self.start} and {self.end}"
            )
        return Slice(axis, start, end, step)

    @property
    def integer_values(self) -> dict[str, int]:
        end = TO_THE_END if self.end is None else self.end
        return {"axis": self.axis, "start": self.start, "end": end, "step": self.step}

    @classmethod
    def of_integers(cls, axis: int, start: int, end: int, step: int) -> Slice:
        return cls(axis, start, None if end == TO_THE_END else end, step)

    def open_forms(self, dims: Dims) -> tuple[Slice, ...]:
        """With its ends counted from the front or from the back."""
        size = dims[self.axis]
        ends = (self.end, None if self.end == size else self.end - size)
        return tuple(
            Slice(self.axis, start, end, self.step)
            for start in (self.start, self.start - size)
            for end in ends
        )

    def infer(self, dims: Dims) -> Dims:
        at = self.axis
        if dims[at] is None:
            made = 1 if self._takes_one else None
        else:
            made = len(range(*slice(self.start, self.end, self.step).indices(dims[at])))
        return (*dims[:at], made, *dims[at + 1 :])

    @property
    def _takes_one(self) -> bool:
        """Whether it is one place of any size; a size that has not that place is refused."""
        if self.end is None:
            return self.start == -1
        return self.end - self.start == 1 and (self.start < 0) == (self.end < 0)

    @property
    def _places(self) -> tuple[slice, ...]:
        """The index of an array with the batch last."""
        return (*[slice(None)] * (self.axis - 1), slice(self.start, self.end, self.step))

    def value(self, z: np.ndarray) -> np.ndarray:
        return z[self._places]

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        """Every so many places of what is left would be others: of several units all stay."""
        if node.output.dims[self.axis] is None:
            return np.broadcast_to(labels.take([0], axis=self.axis - 1), shape_of(node.output.dims))
        if self.step > 1 and slim(labels).shape[self.axis - 1] > 1:
            coupling.pin(labels, f"before a Slice with step {self.step}")
        return super().follow(coupling, node, labels)

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        known = node.output.dims[self.axis] is not None
        return self.value(z) if known else Layer.constant(self, node, z)

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
        end = self.integer_values["end"]
        at = [
            graph.integers(name, [value])
            for name, value in (("starts", self.start), ("ends", end), ("axes", self.axis))
        ]
        return graph.node("Slice", x, *at, graph.integers("steps", [self.step]))
