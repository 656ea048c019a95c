"""Rows of a table."""

from __future__ import annotations

import numpy as np

from ..checks import as_float32, as_numbers
from ..errors import ArgumentError
from ..graph.value import Dims
from .array_layer import ArrayLayer

MOST_ROWS = 1 << 24  # float32 holds every whole number below


class Embedding(ArrayLayer):
    """Row i of table (rows, features) for each value i, as a last axis.

    (batch, tokens) -> (batch, tokens, features). Values are whole numbers; below 0 they count from the end.
    One that is no row gives NaN. table is a float32 copy.
    """

    op, constants = "embedding", ("table",)

    def __init__(self, table):
        table = as_numbers(table, "table")
        if table.ndim != 2 or 0 in table.shape or len(table) >= MOST_ROWS:
            raise ArgumentError(
                f"table must have shape (rows, features), fewer than {MOST_ROWS} rows, got {table.shape}"
            )
        self.table = as_float32(table, "table")

    def infer(self, dims: Dims) -> Dims:
        return (*dims, self.table.shape[1])

    def value(self, z: np.ndarray) -> np.ndarray:
        count = len(self.table)
        fits = (z >= -count) & (z < count) & (z == np.trunc(z))
        rows = self.table[np.where(fits, z, 0).astype(np.int64)].astype(z.dtype)
        return np.moveaxis(np.where(fits[..., np.newaxis], rows, np.nan), -1, -2).astype(z.dtype)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """None where the number of the row is exact; else any row may be meant."""
        return np.where(bound[..., np.newaxis, :] > 0, np.inf, np.zeros_like(a))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """Numbers of rows have no slope."""
        return np.zeros(z.shape, da.dtype)

    def depends(self, mask: np.ndarray) -> np.ndarray:
        return np.repeat(mask[..., np.newaxis, :], self.table.shape[1], axis=-2)

    def copy(self) -> Embedding:
        return Embedding(self.table)

    def torch_value(self, torch, x, table):
        rows = x.long()
        return torch.nn.functional.embedding(torch.where(rows < 0, rows + len(self.table), rows), table)

    def to_onnx(self, graph, x: str) -> str:
        rows = graph.node("Cast", x, to=graph.onnx.TensorProto.INT64)
        return graph.node("Gather", graph.constant("table", self.table), rows, axis=0)

    def __repr__(self) -> str:
        rows, features = self.table.shape
        return f"Embedding({rows}, {features})"
