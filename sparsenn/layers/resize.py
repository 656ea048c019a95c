"""More or fewer places along an axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..checks import check_integer, check_real
from ..errors import ArgumentError, UnsupportedError
from ..graph.coupling import Coupling, shape_of, slim
from ..graph.dims import check_axis, check_whole
from ..graph.node import Node
from ..graph.value import Dims
from .layer import EPS, TINY, Layer

LINEAR = ("nearest", "linear")
COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
MOST_PLACES = 1 << 24  # along an axis: what float32 can count
HALF, ONE, SMALL = np.float32(0.5), np.float32(1), np.float32(1e-9)


@dataclass(frozen=True)
class Resize(Layer):
    """axis with size places, or scale times as many, of the nearest ones or of lines between two neighbours.

    axis         counts the batch as 0 and is never 0
    size, scale  one of them, float32(places * scale) being rounded down; or both, where the scale is not
                 exactly size / places
    mode         "nearest" or "linear"
    coordinates  where a place lies among those that are there, a name of ONNX's Resize, for half_pixel
                 (place + 0.5) / scale - 0.5; computed in float32
    rounding     of the mode "nearest": round_prefer_floor, round_prefer_ceil, floor, ceil
    """

    axis: int
    size: int | None = None
    scale: float | None = None
    mode: str = "linear"
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"

    op, integers = "resize", ("axis", "size", "linear", "coordinates", "rounding")
    attributes = ("scale",)
    torch_takes_rank, onnx_opset = True, 19

    def __post_init__(self) -> None:
        check_whole("axis", self.axis)
        if self.size is None and self.scale is None:
            raise ArgumentError("Resize must have a size or a scale, got neither")
        if self.size is not None:
            check_integer("size", self.size, minimum=1)
        if self.scale is not None:
            scale = check_real("scale", self.scale, minimum=0)
            if not 0 < np.float32(scale) <= MOST_PLACES:
                raise ArgumentError(f"scale must be above 0 and at most 2^24, got {scale}")
            object.__setattr__(self, "scale", float(np.float32(scale)))
        for name, own, known in (
            ("mode", self.mode, LINEAR),
            ("coordinates", self.coordinates, COORDINATES),
            ("rounding", self.rounding, ROUNDINGS),
        ):
            if own not in known:
                raise ArgumentError(f"{name} must be one of {', '.join(known)}, got {own!r}")

    @property
    def attribute_values(self) -> tuple[float, ...]:
        return (self.scale or 0.0,)

    @property
    def integer_values(self) -> dict[str, int]:
        return {
            "axis": self.axis,
            "size": self.size or 0,
            "linear": LINEAR.index(self.mode),
            "coordinates": COORDINATES.index(self.coordinates),
            "rounding": ROUNDINGS.index(self.rounding),
        }

    @classmethod
    def of_integers(cls, axis, size, linear, coordinates, rounding, scale) -> Resize:
        names = (LINEAR[linear], COORDINATES[coordinates], ROUNDINGS[rounding])
        return cls(axis, size or None, scale or None, *names)

    def resolve(self, dims: Dims) -> Resize:
        return replace(self, axis=check_axis("Resize", self.axis, dims))

    def open_forms(self, dims: Dims) -> tuple[Resize, ...]:
        """By a size or a scale, where each is exactly what the other says."""
        count = dims[self.axis]
        made, scale = self.made(count), float(np.float32(self.made(count)) / np.float32(count))
        forms = (replace(self, size=made, scale=None), replace(self, size=None, scale=scale))
        if None in (self.size, self.scale) and self.scale in (None, scale) and forms[1].made(count) == made:
            return self, *forms
        return (self,)

    def made(self, count: int) -> int:
        """Places of the result."""
        return self.size or int(np.floor(np.float32(count) * np.float32(self.scale)))

    def infer(self, dims: Dims) -> Dims:
        count = dims[self.axis]
        made = self.size if count is None else self.made(count)
        if made is not None and not 1 <= made <= MOST_PLACES:
            raise ArgumentError(
                f"Resize must make 1 to 2^24 places, got {made} of axis {self.axis} of {dims}"
            )
        return (*dims[: self.axis], made, *dims[self.axis + 1 :])

    def places(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(low, part) of each place: (1 - part) of what is at low, and part of what is behind it."""
        made = self.made(count)
        x, size = np.arange(made, dtype=np.float32), np.float32(count)
        scale = np.float32(made) / size if self.scale is None else np.float32(self.scale)
        place = (x + HALF) / scale - HALF
        if self.coordinates == "pytorch_half_pixel" and made == 1:
            place = 0 * x
        elif self.coordinates == "asymmetric":
            place = x / scale
        elif self.coordinates == "align_corners":
            place = x * (size - ONE) / max(scale * size - ONE, SMALL)
        elif self.coordinates == "half_pixel_symmetric":
            place = size / np.float32(2) * (ONE - np.float32(made) / (scale * size)) + place
        if self.mode == "nearest":
            place = {
                "round_prefer_floor": lambda: np.ceil(place - HALF),
                "round_prefer_ceil": lambda: np.floor(np.nextafter(place, np.float32(np.inf)) + HALF),
                "floor": lambda: np.floor(place),
                "ceil": lambda: np.ceil(place),
            }[self.rounding]()
        place = np.clip(place, 0, size - ONE)
        low = np.floor(place)
        return low.astype(np.int64), place - low

    def _mixed(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is at the places low, what is behind them where it is read, and the part of that."""
        axis = self.axis - 1
        low, part = self.places(z.shape[axis])
        part = part.astype(np.float64).reshape(-1, *[1] * (z.ndim - 1 - axis))
        return z.take(low, axis=axis), z.take(low + (part.reshape(-1) > 0), axis=axis), part

    def value(self, z: np.ndarray) -> np.ndarray:
        low, high, part = self._mixed(z)
        return np.where(part > 0, (1 - part) * low + part * high, low).astype(z.dtype)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """The operand's bounds in the same parts, eps of what is added up, and what moves with a place's eps.

        Others compute the places of the mode "linear" in another order, and with them the parts.
        """
        axis, (low, _) = self.axis - 1, self.places(z.shape[self.axis - 1])
        moved = EPS * (3 + 4 * (low + 1.0) * (self.mode == "linear"))
        beside = abs(z.astype(np.float64)) + bound
        around = sum(beside.take(low + by, axis=axis, mode="clip") for by in (-1, 0, 1))
        spare = moved.reshape(-1, *[1] * (z.ndim - 1 - axis)) * around
        return self.value(bound.astype(np.float64)) + spare + TINY

    def depends(self, mask: np.ndarray) -> np.ndarray:
        low, high, _ = self._mixed(mask)
        return low | high

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """Each place's parts of da, added up."""
        axis = self.axis - 1
        low, part = self.places(z.shape[axis])
        handed, dz = np.moveaxis(da, axis, 0), np.zeros_like(np.moveaxis(z, axis, 0), dtype=da.dtype)
        part = part.reshape(-1, *[1] * (handed.ndim - 1)).astype(da.dtype)
        np.add.at(dz, low, (1 - part) * handed)
        np.add.at(dz, np.minimum(low + 1, len(dz) - 1), part * handed)
        return np.moveaxis(dz, 0, axis)

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        """Units along the axis stay; others are what they were."""
        if slim(labels).shape[self.axis - 1] > 1:
            return super().follow(coupling, node, labels)
        return np.broadcast_to(labels.take([0], axis=self.axis - 1), shape_of(node.output.dims))

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        known = node.inputs[0].dims[self.axis] is not None
        return self.value(z) if known else super().constant(node, z)

    def torch_value(self, torch, x, *, rank: int):
        """Along a dimension behind the channels, where torch has the same coordinates."""
        options = {
            ("linear", "half_pixel"): ("bilinear", False),
            ("linear", "pytorch_half_pixel"): ("bilinear", False),
            ("linear", "align_corners"): ("bilinear", True),
            ("nearest", "asymmetric", "floor"): ("nearest", None),
            ("nearest", "half_pixel", "round_prefer_ceil"): ("nearest-exact", None),
        }
        key = (self.mode, self.coordinates, *[self.rounding] * (self.mode == "nearest"))
        whole = self.scale is None or float(self.scale).is_integer()
        same = {  # torch multiplies by the inverse of a scale, and keeps corners by size alone
            "half_pixel": self.mode == "linear" or whole,
            "pytorch_half_pixel": self.size != 1,
            "asymmetric": whole,
            "align_corners": self.scale is None,
        }
        fits = same.get(self.coordinates) and None in (self.size, self.scale) and rank in (3, 4)
        if key not in options or not fits or self.axis < 2:
            raise UnsupportedError(
                f"to_torch has no {self!r} of {rank} dims: torch's interpolate cannot do it"
            )
        mode, corners = options[key]
        if rank == 3:
            mode = "linear" if mode == "bilinear" else mode
        if self.scale is None:
            given = {"size": [self.size if axis == self.axis else x.size(axis) for axis in range(2, rank)]}
        else:
            given = {"scale_factor": [self.scale if axis == self.axis else 1.0 for axis in range(2, rank)]}
        return torch.nn.functional.interpolate(x, mode=mode, align_corners=corners, **given)

    def to_onnx(self, graph, x: str) -> str:
        if None not in (self.size, self.scale):
            raise UnsupportedError(f"to_onnx has no Resize of a size and a scale, got {self!r}")
        roi = graph.constant("roi", [])
        if self.scale is None:
            given = ["", graph.integers("sizes", [self.size])]
        else:
            given = [graph.constant("scales", [self.scale])]
        options = {"nearest_mode": self.rounding} if self.mode == "nearest" else {}
        return graph.node(
            "Resize", x, roi, *given, axes=[self.axis], mode=self.mode,
            coordinate_transformation_mode=self.coordinates, **options,
        )  # fmt: skip
