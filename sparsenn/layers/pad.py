"""Places in front of an axis and behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..checks import check_float32, check_integer
from ..errors import ArgumentError, UnsupportedError
from ..graph.coupling import Coupling, shape_of, slim
from ..graph.dims import check_axis, check_whole
from ..graph.node import Node
from ..graph.value import Dims
from .layer import Layer
from .move import Move

MODES = {
    "constant": "constant",
    "edge": "replicate",
    "reflect": "reflect",
    "wrap": "circular",
}  # torch's names


@dataclass(frozen=True)
class Pad(Move):
    """axis with places before and behind it, as numpy.pad makes them: constant, edge, reflect, wrap.

    axis counts the batch as 0 and is never 0;  fill  of the mode "constant", finite
    """

    axis: int
    before: int
    behind: int
    mode: str = "constant"
    fill: float = 0.0

    op, integers, attributes = "pad", ("axis", "before", "behind", "mode"), ("fill",)

    torch_takes_rank, onnx_opset = True, 19

    def __post_init__(self) -> None:
        check_whole("axis", self.axis)
        check_integer("before", self.before, minimum=0), check_integer("behind", self.behind, minimum=0)
        if self.mode not in MODES:
            raise ArgumentError(f"mode must be one of {', '.join(MODES)}, got {self.mode!r}")
        object.__setattr__(self, "fill", check_float32("fill", self.fill, minimum=-math.inf))

    @property
    def integer_values(self) -> dict[str, int]:
        places = {name: getattr(self, name) for name in ("axis", "before", "behind")}
        return {**places, "mode": list(MODES).index(self.mode)}

    @classmethod
    def of_integers(cls, mode: int, **numbers) -> Pad:
        return cls(mode=list(MODES)[mode], **numbers)

    def resolve(self, dims: Dims) -> Pad:
        return replace(self, axis=check_axis("Pad", self.axis, dims))

    def infer(self, dims: Dims) -> Dims:
        size, most = dims[self.axis], max(self.before, self.behind)
        if size is not None and (
            (self.mode == "reflect" and most >= size) or (self.mode == "wrap" and most > size)
        ):
            raise ArgumentError(
                f"Pad must have more places than it fills, got {most} of axis {self.axis} of {dims}"
            )
        made = None if size is None else size + self.before + self.behind
        return (*dims[: self.axis], made, *dims[self.axis + 1 :])

    def _padded(self, z: np.ndarray, value: float) -> np.ndarray:
        widths = [(0, 0)] * z.ndim
        widths[self.axis - 1] = (self.before, self.behind)
        options = {"constant_values": value} if self.mode == "constant" else {}
        return np.pad(z, widths, mode=self.mode, **options)

    def value(self, z: np.ndarray) -> np.ndarray:
        return self._padded(z, self.fill)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        return self._padded(bound, 0.0)

    def depends(self, mask: np.ndarray) -> np.ndarray:
        return self._padded(mask, False)

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        """Places that are added are of no unit: units along the axis stay."""
        if slim(labels).shape[self.axis - 1] > 1:
            return Layer.follow(self, coupling, node, labels)
        return np.broadcast_to(labels.take([0], axis=self.axis - 1), shape_of(node.output.dims))

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        if node.output.dims[self.axis] is None:
            return Layer.constant(self, node, z)
        return self.value(z)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da of each place, added up over those that were made of it."""
        places = replace(self, axis=1)._padded(np.arange(z.shape[self.axis - 1]), -1)
        dz = np.zeros_like(np.moveaxis(z, self.axis - 1, 0), dtype=da.dtype)
        known = places >= 0
        np.add.at(dz, places[known], np.moveaxis(da, self.axis - 1, 0)[known])
        return np.moveaxis(dz, 0, self.axis - 1)

    def torch_value(self, torch, x, *, rank: int):
        if self.mode != "constant" and not (rank in (3, 4) and self.axis >= 2):
            raise UnsupportedError(
                f"torch pads height and width alone with mode {self.mode!r}, got axis {self.axis}"
            )
        pads = [0, 0] * (rank - 1 - self.axis) + [self.before, self.behind]
        if self.mode == "constant":
            return torch.nn.functional.pad(x, pads, value=self.fill)
        return torch.nn.functional.pad(x, pads + [0, 0] * (self.axis - 2), mode=MODES[self.mode])

    def to_onnx(self, graph, x: str) -> str:
        pads = graph.integers("pads", [self.before, self.behind])
        value = graph.constant("value", self.fill) if self.mode == "constant" else ""
        return graph.node("Pad", x, pads, value, graph.integers("axes", [self.axis]), mode=self.mode)
