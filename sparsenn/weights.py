"""Conversion of what a user gives as a weight or a bias into the arrays a layer holds."""

from __future__ import annotations

import numpy as np
import scipy

from . import _core
from .checks import as_float32, as_numbers
from .errors import ArgumentError, CSRError
from .sparse_input import checked


def as_weight(weight) -> np.ndarray | scipy.sparse.csr_array:
    """A copy of weight as (out, in) float32: a C-contiguous ndarray, or a csr_array with sorted indices."""
    if scipy.sparse.issparse(weight):
        return as_csr(weight, "weight")
    array = as_numbers(weight, "weight")
    _check_matrix(array, "weight")
    return as_float32(array, "weight")


def as_bias(bias, *, outputs: int) -> np.ndarray:
    """A copy of bias as (outputs,) float32."""
    array = as_numbers(bias, "bias")
    if array.shape != (outputs,):
        raise ArgumentError(f"bias must have shape ({outputs},), got {array.shape}")
    return as_float32(array, "bias")


def as_csr(matrix, name: str) -> scipy.sparse.csr_array:
    """A copy of a scipy sparse matrix as (out, in) float32 csr_array with sorted indices.

    Stored zeros are kept; the duplicates of any format but CSR are summed. CSRError for arrays that are none.
    """
    sound = checked(matrix, name)
    _check_matrix(sound, name)
    if max(sound.shape) > np.iinfo(np.int32).max:
        raise ArgumentError(f"{name} must have less than 2**31 rows and columns, got shape {sound.shape}")
    if sound.dtype != np.float32:
        as_float32(sound.data, f"{name}: data")
    csr = scipy.sparse.csr_array(sound, dtype=np.float32, copy=True)
    if matrix.format == "csr":
        csr.sort_indices()
    else:
        csr.sum_duplicates()
    _check_rows(csr, name)
    csr.indices = np.ascontiguousarray(csr.indices, np.int32)
    if csr.nnz <= np.iinfo(np.int32).max:
        csr.indptr = np.ascontiguousarray(csr.indptr, np.int32)
    return csr


def core_indices(matrix) -> tuple[np.ndarray, np.ndarray]:
    """indptr (out + 1,) int64 and indices (nnz,) int32 of a CSR matrix, as the core wants them."""
    return np.ascontiguousarray(matrix.indptr, np.int64), np.ascontiguousarray(matrix.indices, np.int32)


def _check_rows(csr: scipy.sparse.csr_array, name: str) -> None:
    """Raises CSRError, with the reason, unless each row holds rising columns, none of them twice."""
    try:
        _core.csr_check(*csr.shape, *core_indices(csr))
    except CSRError as error:
        raise CSRError(f"{name}: {error}") from None


def _check_matrix(array, name: str) -> None:
    if array.ndim != 2:
        raise ArgumentError(f"{name} must have two dimensions (out, in), got shape {array.shape}")
    if 0 in array.shape:
        raise ArgumentError(f"{name} must have at least one row and one column, got shape {array.shape}")
