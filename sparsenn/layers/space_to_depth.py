"""Positions that become channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..graph.coupling import Coupling, spread
from ..graph.node import Node
from ..graph.value import Dims
from .blocks import Blocks


@dataclass(frozen=True)
class SpaceToDepth(Blocks):
    """(batch, channels, height, width): a position of each block, of more channels; torch's pixel_unshuffle.

    block_size   a number or (height, width), at most 1024; height and width are multiples of it
    depth_first  whether channels are in the order of ONNX's SpaceToDepth; else in torch's
    """

    op = "space_to_depth"

    def infer(self, dims: Dims) -> Dims:
        self.check_images(dims)
        pairs = list(zip(dims[2:], self.block_size, strict=True))
        if any(size is not None and size % side for size, side in pairs):
            raise ArgumentError(
                f"operand of SpaceToDepth must have a height and width that are multiples of "
                f"{self.block_size}, got {dims}"
            )
        return (dims[0], dims[1] * self.places, *(None if s is None else s // side for s, side in pairs))

    def value(self, z: np.ndarray) -> np.ndarray:
        return self.to_depth(z)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return self.to_space(da)

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        channels = coupling.of_channels(labels)
        order = self.by_channel(np.arange(channels.size * self.places))  # (channels, places)
        made = np.empty(order.size, np.int64)
        made[order] = channels[:, None]
        return spread(made, node.output.dims)

    def torch_value(self, torch, x):
        rows, columns = self.block_size
        if rows == columns and not self.depth_first:
            return torch.nn.functional.pixel_unshuffle(x, rows)
        batch, height, width = x.shape[0], x.shape[2] // rows, x.shape[3] // columns
        order = (0, 3, 5, 1, 2, 4) if self.depth_first else (0, 1, 3, 5, 2, 4)
        parts = x.reshape(batch, -1, height, rows, width, columns).permute(*order)
        return parts.reshape(batch, -1, height, width)

    def to_onnx(self, graph, x: str) -> str:
        """ONNX's op has square blocks alone, and depth first."""
        rows, columns = self.block_size
        if rows == columns and self.depth_first:
            return graph.node("SpaceToDepth", x, blocksize=rows)
        sizes = graph.node("Div", graph.sizes_behind(x, 2), graph.integers("block", [rows, columns]))
        height, width = (
            graph.node("Gather", sizes, graph.integers(name, [index]))
            for index, name in enumerate(("first", "second"))
        )
        front, down, right = (
            graph.integers(name, values)
            for name, values in (("front", [0, -1]), ("rows", [rows]), ("columns", [columns]))
        )
        parts = graph.node("Reshape", x, graph.joined(front, height, down, width, right))
        order = (0, 3, 5, 1, 2, 4) if self.depth_first else (0, 1, 3, 5, 2, 4)
        parts = graph.node("Transpose", parts, perm=order)
        return graph.node("Reshape", parts, graph.joined(front, sizes))
