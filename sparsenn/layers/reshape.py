"""The same values under other dims."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..graph.coupling import Coupling, shape_of, slim
from ..graph.dims import check_whole, features_of
from ..graph.node import Node
from ..graph.value import Dims
from .expand import Expand
from .layer import Layer
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

    def open_forms(self, dims: Dims) -> tuple[Layer, ...]:
        """With -1 for any one dim; all of them as they are is an Expand."""
        free = [(*self.dims[:i], -1, *self.dims[i + 1 :]) for i in range(len(self.dims))]
        same = (Expand((-1,) * len(self.dims)),) if self.dims == dims[1:] else ()
        return self, *(Reshape(made) for made in free), *same

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

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        moved = self._moved(node, labels)
        return Layer.follow(self, coupling, node, labels) if moved is None else moved

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        moved = self._moved(node, z)
        return Layer.constant(self, node, z) if moved is None else moved

    def _moved(self, node: Node, z: np.ndarray) -> np.ndarray | None:
        """z, of labels, under the dims; None where dims that nobody knows yet mix what differs."""
        before, after = node.inputs[0].dims, node.output.dims
        if None not in before[1:]:
            return self.value(z)
        same = 1
        while same < min(len(before), len(after)) and before[same] == after[same] is not None:
            same += 1
        part = slim(z)
        if any(size > 1 for size in part.shape[same - 1 :]):
            return None
        part = part.reshape(*part.shape[: same - 1], *[1] * (len(after) - same + 1))
        return np.broadcast_to(part, shape_of(after))

    def shrunk(self, before: list[tuple[np.ndarray, ...]], after: tuple[np.ndarray, ...]) -> Reshape:
        if all(mask.all() for mask in after):
            return self
        return Reshape(
            tuple(dim if dim == -1 else int(mask.sum()) for dim, mask in zip(self.dims, after, strict=True))
        )

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da.reshape(z.shape)

    def torch_value(self, torch, x):
        return x.reshape(x.shape[0], *self.dims)

    def to_onnx(self, graph, x: str) -> str:
        """0 stands for the batch, as it is."""
        return graph.node("Reshape", x, graph.integers("shape", [0, *self.dims]))
