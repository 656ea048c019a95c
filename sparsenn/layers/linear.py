"""The linear layer, dense or CSR."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..graph.value import Dims
from .matrix import Matrix


class Linear(Matrix):
    """y = W x + b, with W (out, in) an ndarray or any scipy sparse matrix and b (out,) or None.

    A weight that is 0 reads nothing, stored or not, dense or CSR: an infinity or NaN of x reaches only the
    outputs that have another weight there.

    Both are copied as float32; a sparse W becomes a csr_array with sorted indices, whose stored zeros stay.
    Raises TypeError for anything but real numbers, ValueError for a wrong shape, CSRError for arrays that
    are no valid CSR matrix.
    """

    op = "linear"

    def infer(self, dims: Dims) -> Dims:
        rows, columns = self.shape
        if len(dims) != 2 or dims[1] != columns:
            raise ArgumentError(
                f"operand of a Linear with a weight of shape {self.shape} must have dims (None, {columns}), "
                f"got {dims}"
            )
        return dims[0], rows

    def columns(self, z: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        return z, z.shape[1:]

    def value(self, z: np.ndarray) -> np.ndarray:
        """W z + b; z (in, batch)."""
        return self._product(z)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        return self._product_bound(z, bound)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """W transposed times da."""
        return self._weight.T.astype(da.dtype) @ da

    def depends(self, mask: np.ndarray) -> np.ndarray:
        """The rows with a weight other than zero for one of those columns; mask (in, batch)."""
        return np.stack([self._rows_that_use(column) for column in mask.T], axis=1)

    def with_weight(self, weight, bias) -> Linear:
        return Linear(weight, bias)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"Linear({columns} -> {rows}, {self._kind()})"
