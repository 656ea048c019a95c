"""What LayerNorm and RMSNorm share: values along an axis are brought to one size."""

from __future__ import annotations

import numpy as np

from ..checks import as_float32, as_numbers, check_float32
from ..errors import ArgumentError
from ..graph.dims import check_axis, check_whole
from ..graph.value import Dims
from .array_layer import ArrayLayer
from .layer import EPS, TINY


class AxisNorm(ArrayLayer):
    """scale (x - mean) / sqrt(mean of (x - mean)^2 + epsilon) + shift along axis; arrays are copies.

    A layer that is not centred has neither mean nor shift.
    """

    integers, attributes = ("axis",), ("epsilon",)
    centred: bool

    def __init__(self, scale, shift, axis: int, epsilon: float):
        self.scale = _vector(scale, "scale")
        self.shift = None if shift is None else _vector(shift, "shift")
        if self.shift is not None and self.shift.shape != self.scale.shape:
            raise ArgumentError(
                f"shift must have the shape {self.scale.shape} of scale, got {self.shift.shape}"
            )
        self.axis = check_whole("axis", axis)
        self.epsilon = check_float32("epsilon", epsilon)

    def _with_axis(self, axis: int) -> AxisNorm:
        raise NotImplementedError

    def resolve(self, dims: Dims) -> AxisNorm:
        axis = check_axis(type(self).__name__, self.axis, dims)
        return self if axis == self.axis else self._with_axis(axis)

    def infer(self, dims: Dims) -> Dims:
        if dims[self.axis] != self.scale.size:
            raise ArgumentError(
                f"operand of {type(self).__name__} must have the {self.scale.size} places of scale along "
                f"axis {self.axis}, got {dims}"
            )
        return dims

    def copy(self) -> AxisNorm:
        return self._with_axis(self.axis)

    @property
    def _place(self) -> int:
        """The axis of an array with the batch last."""
        return self.axis - 1

    def _along(self, vector: np.ndarray, z: np.ndarray, dtype) -> np.ndarray:
        return vector.astype(dtype).reshape(-1, *[1] * (z.ndim - self.axis))

    def _parts(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is off the mean, and the root that it is divided by."""
        off = z - z.mean(axis=self._place, keepdims=True) if self.centred else z
        square = (off * off).mean(axis=self._place, keepdims=True)
        return off, np.sqrt(square + np.asarray(self.epsilon, z.dtype))

    def value(self, z: np.ndarray) -> np.ndarray:
        off, size = self._parts(z)
        made = off / size * self._along(self.scale, z, z.dtype)
        return made if self.shift is None else made + self._along(self.shift, z, z.dtype)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """The mean and the root move by at most the mean and the root mean square of what moves x.

        A sum of n values rounds by n eps of their sizes. However much is off, no value has more than the root
        of n times the mean size.
        """
        off, size = self._parts(z)
        n, (scale, shift) = z.shape[self._place], self._vectors(z)
        moved = bound
        if self.centred:
            mean = (abs(z) + bound).mean(axis=self._place, keepdims=True)
            moved = bound + bound.mean(axis=self._place, keepdims=True)
            moved = moved + (n + 2) * EPS * mean + EPS * abs(off)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # of a root that may be 0
            root = np.sqrt((moved * moved).mean(axis=self._place, keepdims=True))
            ratio = (root / size + (n / 2 + 6) * EPS) / np.maximum(1 - root / size - (n / 2 + 6) * EPS, 0)
            near = (moved * (1 + ratio) + abs(off) * ratio) / size
        most = np.sqrt(n) * (1 + n * EPS) + abs(off) / size
        apart = np.where(np.isfinite(near), np.minimum(near, most), most)
        return scale * apart + 6 * EPS * (scale * (abs(off) / size + apart) + shift) + TINY

    def _vectors(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """|scale| and |shift| as float64, as z wants them."""
        shift = np.zeros_like(self.scale) if self.shift is None else self.shift
        return tuple(self._along(abs(vector), z, np.float64) for vector in (self.scale, shift))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """(g - mean(g) - y mean(g y)) / size, of g = scale da and y = off / size."""
        off, size = self._parts(z)
        y, slope = off / size, da * self._along(self.scale, z, da.dtype)
        along = (slope * y).mean(axis=self._place, keepdims=True)
        made = slope - y * along
        return (made - slope.mean(axis=self._place, keepdims=True) if self.centred else made) / size

    def depends(self, mask: np.ndarray) -> np.ndarray:
        return np.broadcast_to(mask.any(axis=self._place, keepdims=True), mask.shape)

    def _turned(self, rank: int) -> list[int]:
        """The order of all axes, the batch included, with the own one last, which is its own inverse."""
        order = list(range(rank))
        order[self.axis], order[-1] = order[-1], order[self.axis]
        return order

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.scale.size}, axis={self.axis}, epsilon={self.epsilon:g})"


def _vector(values, name: str) -> np.ndarray:
    array = as_numbers(values, name)
    if array.ndim != 1 or not array.size:
        raise ArgumentError(f"{name} must have shape (places,), got {array.shape}")
    return as_float32(array, name)
