"""Blocks of rows x inputs, all zero or all kept."""

from __future__ import annotations

import math

import numpy as np

from ...errors import ArgumentError
from ...layers import Matrix
from ...model import Model
from ..csr import stored_positions, stored_values
from ..selection import select_kept
from ._request import Request


def apply(request: Request) -> Model:
    """Whole blocks go, by the mean importance of their weights; sparsity is met to within one block.

    A block is of rows x inputs: features, or channels at one place of a convolution's window, or with two
    more numbers at so many places of it. Its weights that are zero, or not stored, count as unimportant; a
    block without others goes first.
    """
    blocks, scores = [], []
    for index, layer in zip(request.layers, request.matrices(), strict=True):
        block, count = block_of(layer, _sizes(request.block, layer, index))
        present = stored_values(layer.weight).reshape(-1) != 0
        used = np.where(present, request.importances[index].reshape(-1), 0)
        mean = np.bincount(block, used, minlength=count) / math.prod(request.block)
        filled = np.bincount(block, present, minlength=count) > 0
        blocks.append(block)
        scores.append(np.where(filled, mean, -np.inf))
    kept = select_kept(
        scores, [score.size for score in scores], layers=request.layers, amount=request.amount,
        scope=request.scope,
    )  # fmt: skip
    return request.keep(
        [
            stays[block].reshape(np.shape(stored_values(weight)))
            for stays, block, weight in zip(kept, blocks, request.weights(), strict=True)
        ]
    )


def block_of(layer: Matrix, sizes: tuple[int, int, int, int]) -> tuple[np.ndarray, int]:
    """The number of the block that each stored value is in, flat int64, and how many there are.

    sizes  of a block: rows, inputs, and the height and width of its part of the window
    """
    rows, columns = stored_positions(layer.weight)
    inputs, places = np.divmod(columns, layer.columns_per_unit)
    shape = _shape(layer)
    at = [
        where // size for where, size in zip((rows, inputs, *np.divmod(places, shape[3])), sizes, strict=True)
    ]
    counts = [whole // size for whole, size in zip(shape, sizes, strict=True)]
    return np.ravel_multi_index(at, counts), math.prod(counts)


def _shape(layer: Matrix) -> tuple[int, int, int, int]:
    """Rows, inputs, and the height and width of the window."""
    return (layer.shape[0], layer.shape[1] // layer.columns_per_unit, *layer.kernel)


def _sizes(block: tuple[int, ...], layer: Matrix, index: int) -> tuple[int, int, int, int]:
    sizes, shape = (*block, 1, 1)[:4], _shape(layer)
    if any(whole % size for whole, size in zip(shape, sizes, strict=True)):
        wanted = shape if shape[2:] != (1, 1) or len(block) == 4 else shape[:2]
        raise ArgumentError(
            f"block must divide the weights of the layers being pruned, got {block} for Linear layer {index} "
            f"of shape {wanted}; keep={index} leaves that layer out"
        )
    return sizes
