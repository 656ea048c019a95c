"""Blocks of rows x columns, all zero or all kept."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError
from ...model import Model
from ..csr import stored_positions, stored_values
from ..selection import select_kept
from ._request import Request


def apply(request: Request) -> Model:
    """Whole blocks go, by the mean importance of their weights; sparsity is met to within one block.

    A block's weights that are zero, or not stored, count as unimportant; a block without others goes first.
    """
    blocks, scores = [], []
    for index, weight in zip(request.layers, request.weights(), strict=True):
        _check_divides(request.block, weight.shape, index)
        block = block_of(weight, request.block)
        count = weight.shape[0] * weight.shape[1] // (request.block[0] * request.block[1])
        present = stored_values(weight).reshape(-1) != 0
        used = np.where(present, request.importances[index].reshape(-1), 0)
        mean = np.bincount(block, used, minlength=count) / (request.block[0] * request.block[1])
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


def block_of(weight, block: tuple[int, int]) -> np.ndarray:
    """The number of the block that each stored value is in, row of blocks by row of blocks, flat int64."""
    rows, columns = stored_positions(weight)
    return rows // block[0] * (weight.shape[1] // block[1]) + columns // block[1]


def _check_divides(block: tuple[int, int], shape: tuple[int, int], index: int) -> None:
    if shape[0] % block[0] or shape[1] % block[1]:
        raise ArgumentError(
            f"block must divide the weights of the layers being pruned, got {block} for Linear layer {index} "
            f"of shape {shape}; keep={index} leaves that layer out"
        )
