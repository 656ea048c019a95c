"""What the layers share that make one place of some axes: sums, means, the largest and smallest value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..graph.coupling import Coupling, slim
from ..graph.dims import check_axis, check_whole
from ..graph.node import Node
from ..graph.value import Dims
from .layer import Layer


@dataclass(frozen=True)
class Reduce(Layer):
    """One value of all along the axes, which stay as dims of 1; they stand next to each other.

    axes  a number or several, counting the batch as 0, which they never are
    """

    axes: tuple[int, ...]

    integers = ("first", "last")

    def __post_init__(self) -> None:
        axes = self.axes if isinstance(self.axes, (Sequence, np.ndarray)) else (self.axes,)
        plain = tuple(check_whole(f"axes[{i}]", axis) for i, axis in enumerate(axes))
        if not plain:
            raise ArgumentError(f"axes of {type(self).__name__} must name an axis, got none")
        object.__setattr__(self, "axes", plain)

    @property
    def integer_values(self) -> dict[str, int]:
        return {"first": self.axes[0], "last": self.axes[-1]}

    @classmethod
    def of_integers(cls, first: int, last: int) -> Reduce:
        return cls(tuple(range(first, last + 1)))

    def resolve(self, dims: Dims) -> Reduce:
        name = type(self).__name__
        axes = tuple(sorted(check_axis(name, axis, dims) for axis in self.axes))
        if axes != tuple(range(axes[0], axes[0] + len(axes))):
            raise ArgumentError(f"axes of {name} must stand next to each other, got {self.axes} of {dims}")
        return type(self)(axes)

    def infer(self, dims: Dims) -> Dims:
        return tuple(1 if i in self.axes else dim for i, dim in enumerate(dims))

    @property
    def _places(self) -> tuple[int, ...]:
        """The axes of an array with the batch last."""
        return tuple(axis - 1 for axis in self.axes)

    def _count(self, z: np.ndarray) -> int:
        return int(np.prod([z.shape[place] for place in self._places]))

    def depends(self, mask: np.ndarray) -> np.ndarray:
        return mask.any(axis=self._places, keepdims=True)

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        """Along the axes there is one place: of one unit it is that unit; units that meet there stay."""
        part = slim(labels)
        if any((part != part.take([0], axis=place)).any() for place in self._places):
            return super().follow(coupling, node, labels)
        return labels[tuple(slice(0, 1 if i in self._places else None) for i in range(labels.ndim))]

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        unknown = any(node.inputs[0].dims[axis] is None for axis in self.axes)
        return super().constant(node, z) if unknown else self.value(z)


@dataclass(frozen=True)
class Extreme(Reduce):
    """The largest value, or with a sign of -1 the smallest. A NaN makes NaN."""

    sign = 1

    def value(self, z: np.ndarray) -> np.ndarray:
        return self.sign * (self.sign * z).max(axis=self._places, keepdims=True)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        return bound.max(axis=self._places, keepdims=True)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da at the first place that holds the value."""
        first, last = self._places[0], self._places[-1] + 1
        flat = (self.sign * z).reshape(*z.shape[:first], -1, *z.shape[last:])
        places = flat.argmax(axis=first)
        made = np.zeros_like(flat, dtype=da.dtype)
        np.put_along_axis(
            made, np.expand_dims(places, first), da.reshape(*da.shape[:first], 1, *da.shape[last:]), first
        )
        return made.reshape(z.shape)
