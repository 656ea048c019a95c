"""Channels that become positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..graph.coupling import Coupling, spread
from ..graph.node import Node
from ..graph.value import Dims
from .blocks import Blocks


@dataclass(frozen=True)
class DepthToSpace(Blocks):
    """(batch, channels, height, width): block_size times the size, of fewer channels; torch's pixel_shuffle.

    block_size   a number or (height, width), at most 1024
    depth_first  whether channels are in the order of ONNX's mode DCR, not CRD, which is torch's
    Source: Shi et al. 2016, arXiv:1609.05158
    """

    op = "depth_to_space"

    def infer(self, dims: Dims) -> Dims:
        self.check_images(dims)
        if dims[1] % self.places:
            raise ArgumentError(
                f"operand of DepthToSpace must have a multiple of {self.places} channels, got {dims}"
            )
        sizes = (
            None if size is None else size * side
            for size, side in zip(dims[2:], self.block_size, strict=True)
        )
        return (dims[0], dims[1] // self.places, *sizes)

    def value(self, z: np.ndarray) -> np.ndarray:
        return self.to_space(z)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return self.to_depth(da)

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        """The channels of a block go together."""
        parts = self.by_channel(coupling.of_channels(labels))
        coupling.join(parts, parts[:, :1])
        return spread(parts[:, 0], node.output.dims)

    def torch_value(self, torch, x):
        rows, columns = self.block_size
        if rows == columns and not self.depth_first:
            return torch.nn.functional.pixel_shuffle(x, rows)
        batch, height, width = x.shape[0], x.shape[2], x.shape[3]
        depth = (rows, columns, -1) if self.depth_first else (-1, rows, columns)
        order = (0, 3, 4, 1, 5, 2) if self.depth_first else (0, 1, 4, 2, 5, 3)
        parts = x.reshape(batch, *depth, height, width).permute(*order)
        return parts.reshape(batch, -1, height * rows, width * columns)

    def to_onnx(self, graph, x: str) -> str:
        """ONNX's op has square blocks alone."""
        rows, columns = self.block_size
        if rows == columns:
            return graph.node("DepthToSpace", x, blocksize=rows, mode="DCR" if self.depth_first else "CRD")
        sizes = graph.sizes_behind(x, 2)
        depth = [0, rows, columns, -1] if self.depth_first else [0, -1, rows, columns]
        order = (0, 3, 4, 1, 5, 2) if self.depth_first else (0, 1, 4, 2, 5, 3)
        parts = graph.node("Reshape", x, graph.joined(graph.integers("depth", depth), sizes))
        parts = graph.node("Transpose", parts, perm=order)
        sizes = graph.node("Mul", sizes, graph.integers("block", [rows, columns]))
        return graph.node("Reshape", parts, graph.joined(graph.integers("front", [0, -1]), sizes))
