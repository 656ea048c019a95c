"""What the layers share that multiply by a weight matrix, dense or CSR."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import scipy

from ..errors import ArgumentError
from ..graph.coupling import Coupling, along_first, spread
from ..graph.node import Node
from ..weights import as_bias, as_weight
from .layer import EPS, TINY, Layer


class Matrix(Layer):
    """y = W x + b: W (out, in) an ndarray or csr_array, b (out,) or None; float32, copies of its own.

    What x is differs: the features of a sample (Linear), what a window holds (Conv2d), or the layer's own
    state of the step before (Recurrent). Whatever works on weights alone, as pruning by magnitude, takes any
    of them; with_weight keeps the kind.
    """

    recurrent: ClassVar[bool] = False  # W multiplies states of the layer itself, which come by and by

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

    def with_weight(self, weight, bias) -> Matrix:
        """The same layer with another weight of its shape, and that bias; both are copied."""
        raise NotImplementedError

    def columns(self, *z: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        """What W multiplies, (in, n), of z, and the shape (..., batch) with n places of each of its rows."""
        raise NotImplementedError

    def product_gradient(self, *arguments: np.ndarray) -> np.ndarray:
        """(*z, a, da) as gradient takes them -> the gradient of W times columns(*z), (out, n)."""
        return np.ascontiguousarray(arguments[-1].reshape(self.shape[0], -1))

    def copy(self) -> Matrix:
        """A layer with arrays of its own."""
        return self.with_weight(self._weight, self._bias)

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the window that has a column for each place of a feature or channel of x."""
        return 1, 1

    @property
    def columns_per_unit(self) -> int:
        """Columns of the weight that a feature or channel of x has."""
        return math.prod(self.kernel)

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Which part of the layer each row (out,) and each feature or channel of x is in; one is part 0."""
        return np.zeros(self.shape[0], np.int64), np.zeros(self.shape[1] // self.columns_per_unit, np.int64)

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        """Its rows are units of their own."""
        coupling.read(self, coupling.of_channels(labels))
        return spread(coupling.rows_of(self), node.output.dims)

    def known_inputs(self, z: np.ndarray) -> np.ndarray:
        """What each feature or channel (in,) gives to all positions alike, or NaN; z as constant takes it."""
        values = along_first(z)
        return np.where((values == values[:, :1]).all(axis=1), values[:, 0], np.nan)

    def constant(self, node: Node, z: np.ndarray) -> np.ndarray:
        """W z + b in the rows that read nothing unknown."""
        columns = np.repeat(self.known_inputs(z), self.columns_per_unit)
        known = np.isfinite(columns)
        rows = self._weight.astype(np.float64) @ np.where(known, columns, 0.0)
        rows = rows if self._bias is None else rows + self._bias
        return spread(np.where(self._rows_that_use(~known), np.nan, rows), node.output.dims)

    def _rows_that_use(self, columns: np.ndarray) -> np.ndarray:
        """Mask (out,) of the rows with a weight other than zero in one of those columns, a mask (in,)."""
        weight = self._weight
        if not self.sparse:
            return (weight[:, columns] != 0).any(axis=1)
        used = (weight.data != 0) & columns[weight.indices]
        rows = np.repeat(np.arange(weight.shape[0]), np.diff(weight.indptr))
        return np.bincount(rows[used], minlength=weight.shape[0]) > 0

    def _product(self, z: np.ndarray) -> np.ndarray:
        """W z + b; z (in, samples)."""
        weight = self._weight.astype(z.dtype)
        if not np.isfinite(z).all():
            weight = scipy.sparse.csr_array(weight)
            weight.eliminate_zeros()
        a = weight @ z
        return a if self._bias is None else a + self._bias.astype(z.dtype)[:, np.newaxis]

    def _product_bound(self, z: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """A sum of k products rounds by at most (k + 2) eps (|W| |z| + |b|), whatever its order.

        Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, ch. 3
        """
        magnitude = abs(self._weight.astype(np.float64))
        bias = 0.0 if self._bias is None else abs(self._bias.astype(np.float64))[:, np.newaxis]
        rows, columns = self.shape
        terms = np.diff(self._weight.indptr) if self.sparse else np.full(rows, columns)
        rounding = (terms[:, np.newaxis] + 2) * EPS * (magnitude @ (abs(z) + bound) + bias)
        return magnitude @ bound + rounding + TINY

    def _kind(self) -> str:
        """How the weight is stored, for repr."""
        kind = f"sparsity={self.sparsity:.4f}" if self.sparse else "dense"
        return kind if self._bias is not None else f"{kind}, no bias"
