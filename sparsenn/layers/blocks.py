"""What DepthToSpace and SpaceToDepth share: positions in blocks, and channels for the places of a block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..checks import check_flag
from ..errors import ArgumentError
from ..graph.node import Node
from ..graph.value import Dims
from .layer import Layer
from .move import Move
from .window import pair

LARGEST = 1 << 10


@dataclass(frozen=True)
class Blocks(Move):
    """Positions of a block, row by row, as channels: those of one channel side by side, as torch has them.

    block_size   a number or (height, width), at most 1024
    depth_first  the channels of one place of the blocks side by side, as ONNX's mode DCR has them
    """

    block_size: int | tuple[int, int]
    depth_first: bool = False

    integers = ("block_h", "block_w", "depth_first")

    def __post_init__(self) -> None:
        block = pair("block_size", self.block_size)
        if max(block) > LARGEST:
            raise ArgumentError(f"block_size must be at most {LARGEST}, got {self.block_size!r}")
        object.__setattr__(self, "block_size", block)
        object.__setattr__(self, "depth_first", check_flag("depth_first", self.depth_first))

    @property
    def integer_values(self) -> dict[str, int]:
        height, width = self.block_size
        return {"block_h": height, "block_w": width, "depth_first": int(self.depth_first)}

    @classmethod
    def of_integers(cls, block_h: int, block_w: int, depth_first: int) -> Blocks:
        return cls((block_h, block_w), bool(depth_first))

    @property
    def places(self) -> int:
        """Of a block."""
        return self.block_size[0] * self.block_size[1]

    def check_images(self, dims: Dims) -> None:
        if len(dims) != 4 or dims[1] is None:
            name = type(self).__name__
            raise ArgumentError(
                f"operand of {name} must have dims (None, channels, height, width), got {dims}"
            )

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        return Layer.constant(self, node, z) if None in node.output.dims[1:] else self.value(z)

    def by_channel(self, labels: np.ndarray) -> np.ndarray:
        """What each channel has for each place of the blocks: (channels, places), of (channels * places,)."""
        return labels.reshape(self.places, -1).T if self.depth_first else labels.reshape(-1, self.places)

    # ---- arrays (channels, height, width, batch) ----

    def to_space(self, z: np.ndarray) -> np.ndarray:
        rows, columns = self.block_size
        channels, height, width, batch = z.shape
        channels //= self.places
        if self.depth_first:
            parts = z.reshape(rows, columns, channels, height, width, batch).transpose(2, 3, 0, 4, 1, 5)
        else:
            parts = z.reshape(channels, rows, columns, height, width, batch).transpose(0, 3, 1, 4, 2, 5)
        return parts.reshape(channels, height * rows, width * columns, batch)

    def to_depth(self, z: np.ndarray) -> np.ndarray:
        rows, columns = self.block_size
        channels, height, width, batch = z.shape
        height, width = height // rows, width // columns
        parts = z.reshape(channels, height, rows, width, columns, batch)
        parts = parts.transpose((2, 4, 0, 1, 3, 5) if self.depth_first else (0, 2, 4, 1, 3, 5))
        return parts.reshape(-1, height, width, batch)
