"""Dense and CSR weights by their stored values, which is what pruning ranks and removes."""

from __future__ import annotations

import numpy as np
import scipy


def stored_values(weight) -> np.ndarray:
    """The values held: (out, in) of a dense weight, (nnz,) of a CSR weight."""
    return weight.data if scipy.sparse.issparse(weight) else weight


def stored_positions(weight) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each stored value, (out * in,) or (nnz,), in storage order."""
    rows, columns = weight.shape
    if scipy.sparse.issparse(weight):
        return np.repeat(np.arange(rows), np.diff(weight.indptr)), weight.indices
    return np.repeat(np.arange(rows), columns), np.tile(np.arange(columns), rows)


def weight_count(weight) -> int:
    """All weights of a layer, stored or not: out * in."""
    rows, columns = weight.shape
    return rows * columns


def to_csr(weight, kept: np.ndarray) -> scipy.sparse.csr_array:
    """The kept weights as a new csr_array.

    weight  (out, in) float32, ndarray or csr_array with sorted indices
    kept    bool, of the shape of stored_values(weight)
    ->      (out, in) float32 with sorted int32 indices; a kept weight that is zero stays stored
    """
    if scipy.sparse.issparse(weight):
        before = np.concatenate(([0], np.cumsum(kept)))  # kept values before each stored one
        indptr, indices = before[weight.indptr], weight.indices[kept]
    else:
        indptr = np.concatenate(([0], np.cumsum(kept.sum(axis=1))))
        indices = np.nonzero(kept)[1]
    return scipy.sparse.csr_array(
        (stored_values(weight)[kept].astype(np.float32), indices.astype(np.int32), indptr), shape=weight.shape
    )
