"""A value repeated along axes of which it has one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..graph.dims import check_whole
from ..graph.value import Dims
from .move import Move
from .pair import summed_to


@dataclass(frozen=True)
class Expand(Move):
    """dims, which leave the batch out: those of 1 repeated, -1 for one that stays as it is."""

    dims: tuple[int, ...]

    op, integers = "expand", ("dims",)

    def __post_init__(self) -> None:
        dims = tuple(check_whole(f"dims[{i}]", dim) for i, dim in enumerate(self.dims))
        object.__setattr__(self, "dims", dims)
        if not dims or any(dim < 1 and dim != -1 for dim in dims):
            raise ArgumentError(f"dims of Expand must be at least 1, or -1, got {dims}")

    def open_forms(self, dims: Dims) -> tuple[Expand, ...]:
        kept = (-1 if new in (-1, own) else new for new, own in zip(self.dims, dims[1:], strict=True))
        return self, Expand(tuple(kept))

    def infer(self, dims: Dims) -> Dims:
        fits = len(self.dims) == len(dims) - 1
        if not fits or any(
            new not in (-1, own) and own != 1 for new, own in zip(self.dims, dims[1:], strict=True)
        ):
            raise ArgumentError(
                f"dims of Expand must be those of {dims} but for places of 1, got {self.dims}"
            )
        return (dims[0], *(own if new == -1 else new for new, own in zip(self.dims, dims[1:], strict=True)))

    def value(self, z: np.ndarray) -> np.ndarray:
        dims = (own if new == -1 else new for new, own in zip(self.dims, z.shape[:-1], strict=True))
        return np.broadcast_to(z, (*dims, z.shape[-1]))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return summed_to(da, z.shape)

    def shrunk(self, before: list[tuple[np.ndarray, ...]], after: tuple[np.ndarray, ...]) -> Expand:
        return Expand(
            tuple(dim if dim == -1 else int(mask.sum()) for dim, mask in zip(self.dims, after, strict=True))
        )

    def torch_value(self, torch, x):
        return x.expand(-1, *self.dims)

    def to_onnx(self, graph, x: str) -> str:
        return graph.node(
            "Expand", x, graph.integers("shape", [1, *(1 if dim == -1 else dim for dim in self.dims)])
        )
