"""The linear layer, dense or CSR."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from ..errors import ArgumentError
from ..graph.value import Dims
from ..weights import as_bias, as_weight
from .layer import EPS, TINY, Layer


class Linear(Layer):
    """y = W x + b, with W (out, in) an ndarray or any scipy sparse matrix and b (out,) or None.

    A weight that is 0 reads nothing, stored or not, dense or CSR: an infinity or NaN of x reaches only the
    outputs that have another weight there.

    Both are copied as float32; a sparse W becomes a csr_array with sorted indices, whose stored zeros stay.
    Raises TypeError for anything but real numbers, ValueError for a wrong shape, CSRError for arrays that
    are no valid CSR matrix.
    """

    op = "linear"

    def __init__(self, weight, bias=None):
        self._weight = as_weight(weight)
        self._bias = None if bias is None else as_bias(bias, outputs=self._weight.shape[0])

    @property
    def weight(self) -> np.ndarray | scipy.sparse.csr_array:
        """(out, in) float32. Assigning converts and copies like the constructor; the shape is fixed."""
        return self._weight

    @weight.setter
    def weight(self, value) -> None:
        if value is self._weight:
            return
        weight = as_weight(value)
        if weight.shape != self._weight.shape:
            raise ArgumentError(f"weight must keep its shape {self._weight.shape}, got {weight.shape}")
        self._weight = weight

    @property
    def bias(self) -> np.ndarray | None:
        """(out,) float32, or None when the layer has none."""
        return self._bias

    @bias.setter
    def bias(self, value) -> None:
        if value is not self._bias:
            self._bias = None if value is None else as_bias(value, outputs=self.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in)."""
        return self._weight.shape

    @property
    def sparse(self) -> bool:
        """Whether the weight is a csr_array."""
        return scipy.sparse.issparse(self._weight)

    @property
    def nnz(self) -> int:
        """Stored weights: those of the CSR pattern, or every one of a dense layer."""
        return int(self._weight.nnz) if self.sparse else self._weight.size

    @property
    def sparsity(self) -> float:
        """1 - nnz / (out * in): the fraction of weights that are not stored; 0 for a dense layer."""
        rows, columns = self.shape
        return 1.0 - self.nnz / (rows * columns)

    def make_writable(self) -> None:
        """Replaces arrays that cannot be written, as those that joblib maps into its workers, by copies."""
        values = self._weight.data if self.sparse else self._weight
        if not values.flags.writeable:
            self._weight = self._weight.copy()
        if self._bias is not None and not self._bias.flags.writeable:
            self._bias = self._bias.copy()

    def infer(self, dims: Dims) -> Dims:
        rows, columns = self.shape
        if len(dims) != 2 or dims[1] != columns:
            raise ArgumentError(
                f"operand of a Linear with a weight of shape {self.shape} must have dims (None, {columns}), "
                f"got {dims}"
            )
        return dims[0], rows

    def value(self, z: np.ndarray) -> np.ndarray:
        """W z + b; z (in, batch)."""
        weight = self._weight.astype(z.dtype)
        if not np.isfinite(z).all():
            weight = scipy.sparse.csr_array(weight)
            weight.eliminate_zeros()
        a = weight @ z
        return a if self._bias is None else a + self._bias.astype(z.dtype)[:, np.newaxis]

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """A sum of k products rounds by at most (k + 2) eps (|W| |z| + |b|), whatever its order.

        Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, ch. 3
        """
        magnitude = abs(self._weight.astype(np.float64))
        bias = 0.0 if self._bias is None else abs(self._bias.astype(np.float64))[:, np.newaxis]
        rows, columns = self.shape
        terms = np.diff(self._weight.indptr) if self.sparse else np.full(rows, columns)
        rounding = (terms[:, np.newaxis] + 2) * EPS * (magnitude @ (abs(z) + bound) + bias)
        return magnitude @ bound + rounding + TINY

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """W transposed times da."""
        return self._weight.T.astype(da.dtype) @ da

    def depends(self, mask: np.ndarray) -> np.ndarray:
        """The rows with a weight other than zero for one of those columns; mask (in, batch)."""
        return np.stack([self._rows_that_use(column) for column in mask.T], axis=1)

    def _rows_that_use(self, columns: np.ndarray) -> np.ndarray:
        weight = self._weight
        if not self.sparse:
            return (weight[:, columns] != 0).any(axis=1)
        used = (weight.data != 0) & columns[weight.indices]
        rows = np.repeat(np.arange(weight.shape[0]), np.diff(weight.indptr))
        return np.bincount(rows[used], minlength=weight.shape[0]) > 0

    def copy(self) -> Linear:
        """A layer with arrays of its own."""
        return Linear(self._weight, self._bias)

    def __repr__(self) -> str:
        rows, columns = self.shape
        kind = f"sparsity={self.sparsity:.4f}" if self.sparse else "dense"
        return f"Linear({columns} -> {rows}, {kind}{'' if self._bias is not None else ', no bias'})"
