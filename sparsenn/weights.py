"""Conversion of what a user gives as a weight or a bias into the arrays a layer holds."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from . import _core
from .checks import as_numbers
from .errors import CSRError


def as_weight(weight) -> np.ndarray | scipy.sparse.csr_array:
    """A copy of weight as (out, in) float32: a C-contiguous ndarray, or a csr_array with sorted indices."""
    if scipy.sparse.issparse(weight):
        return as_csr(weight, "weight")
    array = as_numbers(weight, "weight")
    _check_matrix(array, "weight")
    return np.array(array, np.float32, order="C")


def as_bias(bias, *, outputs: int) -> np.ndarray:
    """A copy of bias as (outputs,) float32."""
    array = as_numbers(bias, "bias")
    if array.shape != (outputs,):
        raise ValueError(f"bias must have shape ({outputs},), got {array.shape}")
    return np.array(array, np.float32)


def as_csr(matrix, name: str) -> scipy.sparse.csr_array:
    """A copy of a scipy sparse matrix as (out, in) float32 csr_array with sorted indices.

    Stored zeros are kept; the duplicates of a COO matrix are summed. CSRError for arrays that are not CSR.
    """
    if matrix.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {matrix.dtype}")
    _check_matrix(matrix, name)
    if matrix.format != "csr":
        return _with_int32_indices(scipy.sparse.csr_array(matrix, dtype=np.float32))
    # Checked before scipy touches the arrays: its own routines trust them.
    try:
        check_csr(matrix, name)
    except CSRError:
        if not _only_unsorted(matrix):
            raise
    csr = scipy.sparse.csr_array(matrix, dtype=np.float32, copy=True)
    csr.sort_indices()
    check_csr(csr, name)
    return _with_int32_indices(csr)


def check_csr(matrix, name: str) -> None:
    """Raises CSRError, with the reason, unless the arrays of a CSR matrix are valid and sorted."""
    for part in ("indptr", "indices", "data"):
        array = getattr(matrix, part)
        if array.ndim != 1:
            raise CSRError(f"{name}: {part} must be one-dimensional, got shape {array.shape}")
        if part != "data" and array.dtype.kind not in "iu":
            raise CSRError(f"{name}: {part} must hold integers, got dtype {array.dtype}")
    if len(matrix.data) != len(matrix.indices):
        raise CSRError(
            f"{name}: data must be as long as indices ({len(matrix.indices)}), got {len(matrix.data)}"
        )
    indptr, indices = core_indices(matrix)
    if not np.array_equal(indices, matrix.indices):
        raise CSRError(f"{name}: indices must fit in 32 bits, got {int(matrix.indices.max())}")
    try:
        _core.csr_check(*matrix.shape, indptr, indices)
    except CSRError as error:
        raise CSRError(f"{name}: {error}") from None


def core_indices(matrix) -> tuple[np.ndarray, np.ndarray]:
    """indptr (out + 1,) int64 and indices (nnz,) int32 of a CSR matrix, as the core wants them."""
    return np.ascontiguousarray(matrix.indptr, np.int64), np.ascontiguousarray(matrix.indices, np.int32)


def _only_unsorted(matrix) -> bool:
    """Whether indptr and the range of indices are right, so that sorting the rows is safe."""
    indptr, indices = matrix.indptr, matrix.indices
    return bool(
        len(indptr) == matrix.shape[0] + 1
        and indptr[0] == 0
        and indptr[-1] == len(indices) == len(matrix.data)
        and (indptr[1:] >= indptr[:-1]).all()
        and (len(indices) == 0 or (indices.min() >= 0 and indices.max() < matrix.shape[1]))
    )


def _with_int32_indices(csr: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """csr with int32 indices, and int32 indptr where nnz fits; sorted."""
    csr.sum_duplicates()
    csr.indices = np.ascontiguousarray(csr.indices, np.int32)
    if csr.nnz <= np.iinfo(np.int32).max:
        csr.indptr = np.ascontiguousarray(csr.indptr, np.int32)
    return csr


def _check_matrix(array, name: str) -> None:
    if array.ndim != 2:
        raise ValueError(f"{name} must have two dimensions (out, in), got shape {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"{name} must have at least one row and one column, got shape {array.shape}")
