"""The three products of sparse layers as plain functions on scipy CSR matrices.

Features are rows and the batch is columns: X (in, batch), dY (out, batch). Each call packs the pattern
anew; to use one pattern many times, keep a Model and run it through compile or train. As in scipy what is not
stored reads nothing, not even an infinity or NaN; unlike there, stored zeros read nothing either.
"""

from __future__ import annotations

import numpy as np
import scipy

from . import _core
from .checks import as_numbers, check_integer
from .errors import ArgumentError
from .weights import as_bias, as_csr, core_indices


def spmm(weight, x, bias=None, *, threads: int | None = None) -> np.ndarray:
    """weight (out, in) CSR times x (in, batch), plus bias (out,) -> (out, batch) float32.

    >>> import numpy as np, scipy.sparse, sparsenn as snn
    >>> weight = scipy.sparse.csr_array(np.array([[0, 2, 0], [1, 0, 3]], np.float32))
    >>> snn.ops.spmm(weight, np.ones((3, 2)), bias=[10, 20])
    array([[12., 12.],
           [24., 24.]], dtype=float32)
    """
    weight = _csr(weight)
    x = _matrix(x, rows=weight.shape[1], name="x")
    bias = None if bias is None else as_bias(bias, outputs=weight.shape[0])
    return _sparse(weight, threads).forward(weight.data, bias, x)


def spmm_transposed(weight, dy, *, threads: int | None = None) -> np.ndarray:
    """weight (out, in) CSR transposed, times dy (out, batch) -> (in, batch) float32.

    >>> import numpy as np, scipy.sparse, sparsenn as snn
    >>> weight = scipy.sparse.csr_array(np.array([[0, 2, 0], [1, 0, 3]], np.float32))
    >>> snn.ops.spmm_transposed(weight, [[1], [10]]).ravel()
    array([10.,  2., 30.], dtype=float32)
    """
    weight = _csr(weight)
    dy = _matrix(dy, rows=weight.shape[0], name="dy")
    return _sparse(weight, threads).backward_input(weight.data, dy)


def sddmm(weight, dy, x, *, threads: int | None = None) -> np.ndarray:
    """dy (out, batch) times x (in, batch) transposed, at the pattern of weight (out, in) only.

    Returns the values (nnz,) float32, in the order of weight with its indices sorted; those of weight are
    not used.

    >>> import numpy as np, scipy.sparse, sparsenn as snn
    >>> weight = scipy.sparse.csr_array(np.array([[0, 2, 0], [1, 0, 3]], np.float32))
    >>> snn.ops.sddmm(weight, [[1], [10]], [[1], [2], [3]])
    array([ 2., 10., 30.], dtype=float32)
    """
    weight = _csr(weight)
    dy = _matrix(dy, rows=weight.shape[0], name="dy")
    x = _matrix(x, rows=weight.shape[1], name="x")
    if x.shape[1] != dy.shape[1]:
        raise ArgumentError(f"x must hold as many columns as dy ({dy.shape[1]}), got {x.shape[1]}")
    return _sparse(weight, threads).backward_weight(dy, x)[0]


def check_threads(threads: int | None) -> int:
    """threads as the core wants it: 0 for None, its default."""
    return 0 if threads is None else min(check_integer("threads", threads, minimum=1), 2**31 - 1)


def _csr(weight) -> scipy.sparse.csr_array:
    if not scipy.sparse.issparse(weight):
        raise TypeError(f"weight must be a scipy sparse matrix, got {type(weight).__name__}")
    return as_csr(weight, "weight")


def _matrix(array, *, rows: int, name: str) -> np.ndarray:
    array = as_numbers(array, name)
    if array.ndim != 2 or array.shape[0] != rows:
        raise ArgumentError(f"{name} must have shape ({rows}, batch), got {array.shape}")
    return np.ascontiguousarray(array, np.float32)


def _sparse(weight: scipy.sparse.csr_array, threads: int | None) -> _core.Sparse:
    return _core.Sparse(*core_indices(weight), weight.shape, threads=check_threads(threads))
