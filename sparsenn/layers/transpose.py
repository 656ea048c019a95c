"""The axes of a value in another order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..graph.dims import check_axis, check_whole
from ..graph.value import Dims
from .move import Move


@dataclass(frozen=True)
class Transpose(Move):
    """The axes behind the batch, which is axis 0 and stays in front, in that order: (2, 1) swaps two."""

    axes: tuple[int, ...]

    op, integers = "transpose", ("axes",)

    def __post_init__(self) -> None:
        axes = tuple(check_whole(f"axes[{i}]", axis) for i, axis in enumerate(self.axes))
        object.__setattr__(self, "axes", axes)

    def resolve(self, dims: Dims) -> Transpose:
        axes = tuple(check_axis("Transpose", axis, dims) for axis in self.axes)
        if sorted(axes) != list(range(1, len(dims))):
            raise ArgumentError(
                f"axes of Transpose must name each of 1 to {len(dims) - 1} of {dims} once, got {self.axes}"
            )
        return Transpose(axes)

    def infer(self, dims: Dims) -> Dims:
        return (dims[0], *(dims[axis] for axis in self.axes))

    def value(self, z: np.ndarray) -> np.ndarray:
        return z.transpose(*(axis - 1 for axis in self.axes), z.ndim - 1)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """The axes where they were."""
        return da.transpose(*np.argsort(self.axes), da.ndim - 1)

    def torch_value(self, torch, x):
        return x.permute(0, *self.axes)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node("Transpose", x, perm=[0, *self.axes])
