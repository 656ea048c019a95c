"""The same values under other dims."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..graph.dims import check_whole, features_of
from ..graph.value import Dims
from .move import Move


@dataclass(frozen=True)
class Reshape(Move):
    """The values of a sample in the same order under dims, which leave the batch out; one may be -1."""

    dims: tuple[int, ...]

    op, integers = "reshape", ("dims",)

    def __post_init__(self) -> None:
        dims = tuple(check_whole(f"dims[{i}]", dim) for i, dim in enumerate(self.dims))
        object.__setattr__(self, "dims", dims)
        if not dims or dims.count(-1) > 1 or any(dim < 1 and dim != -1 for dim in dims):
            raise ArgumentError(f"dims of Reshape must be at least 1, one of them may be -1, got {dims}")

    def resolve(self, dims: Dims) -> Reshape:
        features = features_of(dims)
        return self if features is None else Reshape(self._filled(features, dims))

    def infer(self, dims: Dims) -> Dims:
        if features_of(dims) is None and -1 not in self.dims:
            raise ArgumentError(
                f"dims of Reshape must hold a -1 for an operand whose size is known only when it runs, "
                f"got {self.dims} for {dims}"
            )
        return (dims[0], *(None if dim == -1 else dim for dim in self.dims))

    def _filled(self, features: int, of: Dims) -> tuple[int, ...]:
        """The dims with what -1 stands for, for a sample of that many features."""
        others = math.prod(dim for dim in self.dims if dim != -1)
        filled = tuple(features // others if dim == -1 else dim for dim in self.dims)
        if math.prod(filled) != features:
            raise ArgumentError(f"dims of Reshape must hold the {features} values of {of}, got {self.dims}")
        return filled

    def value(self, z: np.ndarray) -> np.ndarray:
        return z.reshape((*self._filled(math.prod(z.shape[:-1]), z.shape[:-1]), z.shape[-1]))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da.reshape(z.shape)

    def torch_value(self, torch, x):
        return x.reshape(x.shape[0], *self.dims)

    def to_onnx(self, graph, x: str) -> str:
        """0 stands for the batch, as it is."""
        return graph.node("Reshape", x, graph.integers("shape", [0, *self.dims]))
