"""The arrays of scipy sparse matrices, checked before scipy touches them: its own routines trust them.

Every public call that takes a sparse matrix comes through checked. What it returns has arrays of its own type
and range, so that no conversion can read or write outside of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

import numpy as np
import scipy

from .errors import ArgumentError, CSRError

_KINDS = "biuf"  # booleans, integers, reals


def checked(matrix, name: str):
    """A scipy sparse matrix (rows, columns) whose arrays are sound: of the same format, lil and dok as coo.

    Entries may be unsorted or repeated, as the format allows. The arrays may be those of matrix.
    TypeError for numbers that are not real, ValueError for another number of dimensions, CSRError, with the
    array and the reason, for arrays that are no such matrix.
    """
    check = _FORMATS.get(matrix.format)
    if check is None:
        raise TypeError(f"{name} must be csr, csc, bsr, coo, dia, lil or dok, got {type(matrix).__name__}")
    if len(matrix.shape) != 2:
        raise ArgumentError(f"{name} must have two dimensions, got shape {matrix.shape}")
    return check(matrix, name)


def _compressed(matrix, name: str):
    """csr and csc: indices along one axis, indptr along the other."""
    major, minor = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
    data = _values(matrix.data, f"{name}: data", dimensions=1)
    indices, indptr = _pointed(matrix, name, major, minor, len(data))
    kind = scipy.sparse.csr_array if matrix.format == "csr" else scipy.sparse.csc_array
    return kind((data[: len(indices)], indices, indptr), shape=matrix.shape)


def _blocks(matrix, name: str):
    data = _values(matrix.data, f"{name}: data", dimensions=3)
    rows, columns = data.shape[1:]
    if 0 in (rows, columns) or matrix.shape[0] % rows or matrix.shape[1] % columns:
        raise CSRError(
            f"{name}: blocks must divide the shape {matrix.shape}, got blocks of {(rows, columns)}"
        )
    size = (matrix.shape[0] // rows, matrix.shape[1] // columns)
    indices, indptr = _pointed(matrix, name, *size, len(data))
    return scipy.sparse.bsr_array((data[: len(indices)], indices, indptr), shape=matrix.shape)


def _pointed(matrix, name: str, major: int, minor: int, stored: int) -> tuple[np.ndarray, np.ndarray]:
    """indices and indptr of a compressed matrix; what scipy keeps in reserve behind the last is cut off."""
    indptr = _integers(matrix.indptr, f"{name}: indptr")
    indices = _integers(matrix.indices, f"{name}: indices")
    if len(indptr) != major + 1:
        axis = {"csr": "rows", "csc": "columns", "bsr": "rows of blocks"}[matrix.format]
        raise CSRError(f"{name}: indptr must hold {axis} + 1 = {major + 1} entries, got {len(indptr)}")
    if indptr[0] != 0:
        raise CSRError(f"{name}: indptr must start at 0, got {indptr[0]}")
    falls = np.flatnonzero(indptr[1:] < indptr[:-1])
    if len(falls):
        at = int(falls[0]) + 1
        raise CSRError(f"{name}: indptr must not fall, got {indptr[at]} at {at} after {indptr[at - 1]}")
    if stored != len(indices):
        raise CSRError(f"{name}: data must be as long as indices ({len(indices)}), got {stored}")
    if indptr[-1] > len(indices):
        raise CSRError(f"{name}: indptr must end with at most the {len(indices)} indices, got {indptr[-1]}")
    indices = indices[: indptr[-1]]
    _check_range(indices, minor, f"{name}: indices")
    return indices, indptr


def _coordinates(matrix, name: str):
    places = getattr(matrix, "coords", None)  # scipy before 1.13 has row and col alone
    places = (matrix.row, matrix.col) if places is None else places
    if not isinstance(places, tuple) or len(places) != 2:
        raise CSRError(f"{name}: coords must be (row, col), got {_describe(places)}")
    return _from_triples(matrix.data, *places, matrix.shape, name)


def _from_triples(data, rows, columns, shape, name: str) -> scipy.sparse.coo_array:
    data = _values(data, f"{name}: data", dimensions=1)
    places = []
    for part, array, size in (("row", rows, shape[0]), ("col", columns, shape[1])):
        places.append(_integers(array, f"{name}: {part}"))
        if len(places[-1]) != len(data):
            raise CSRError(f"{name}: {part} must be as long as data ({len(data)}), got {len(places[-1])}")
        _check_range(places[-1], size, f"{name}: {part}")
    return scipy.sparse.coo_array((data, tuple(places)), shape=shape)


def _diagonals(matrix, name: str):
    data = _values(matrix.data, f"{name}: data", dimensions=2)
    offsets = _integers(matrix.offsets, f"{name}: offsets")
    if len(offsets) != len(data):
        raise CSRError(f"{name}: data must hold {len(offsets)} diagonals, one an offset, got {len(data)}")
    if len(np.unique(offsets)) != len(offsets):
        raise CSRError(f"{name}: offsets must not repeat, got {offsets.tolist()}")
    # Those that lie outside hold nothing; scipy would take their length as negative.
    inside = (offsets > -matrix.shape[0]) & (offsets < matrix.shape[1])
    return scipy.sparse.dia_array((data[inside], offsets[inside]), shape=matrix.shape)


def _row_lists(matrix, name: str):
    rows, data = matrix.rows, matrix.data
    for part, lists in (("rows", rows), ("data", data)):
        if not isinstance(lists, np.ndarray) or lists.shape != (matrix.shape[0],):
            raise CSRError(f"{name}: {part} must hold {matrix.shape[0]} lists, got {_describe(lists)}")
        wrong = next((entry for entry in lists if not isinstance(entry, list)), None)
        if wrong is not None:
            raise CSRError(f"{name}: {part} must hold lists, got a {type(wrong).__name__}")
    counts = [len(entry) for entry in rows]
    for row, (count, values) in enumerate(zip(counts, data, strict=True)):
        if len(values) != count:
            raise CSRError(f"{name}: data[{row}] must be as long as rows[{row}] ({count}), got {len(values)}")
    columns = _as_array(chain.from_iterable(rows), np.int64, f"{name}: rows")
    values = _as_array(chain.from_iterable(data), matrix.dtype, f"{name}: data")
    places = np.repeat(np.arange(matrix.shape[0]), counts)
    return _from_triples(values, places, columns, matrix.shape, name)


def _dictionary(matrix, name: str):
    keys = list(matrix.keys())
    for key in keys:
        if not isinstance(key, tuple) or len(key) != 2:
            raise CSRError(f"{name}: keys must be (row, column), got {key!r}")
    rows, columns = (_as_array((key[axis] for key in keys), np.int64, f"{name}: keys") for axis in (0, 1))
    values = _as_array(matrix.values(), matrix.dtype, f"{name}: values")
    return _from_triples(values, rows, columns, matrix.shape, name)


def _as_array(values: Iterable, dtype, name: str) -> np.ndarray:
    """The values with the type that numpy finds for them; dtype where there are none."""
    try:
        return np.array(list(values) or np.zeros(0, dtype))
    except ValueError:
        raise CSRError(f"{name} must hold one number each, got sequences") from None


def _values(array, name: str, *, dimensions: int) -> np.ndarray:
    """Numbers in native byte order, of a type that scipy's routines take."""
    _check_array(array, name, dimensions)
    if array.dtype.kind not in _KINDS:
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    dtype = np.float32 if array.dtype == np.float16 else array.dtype.newbyteorder("=")
    return np.ascontiguousarray(array, dtype)


def _integers(array, name: str) -> np.ndarray:
    """(n,) int64."""
    _check_array(array, name, 1)
    if array.dtype.kind not in "iu":
        raise CSRError(f"{name} must hold integers, got dtype {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise CSRError(f"{name} must be below 2**63, got {array.max()}")
    return np.ascontiguousarray(array, np.int64)


def _check_array(array, name: str, dimensions: int) -> None:
    if not isinstance(array, np.ndarray) or array.ndim != dimensions:
        words = {1: "one-dimensional", 2: "two-dimensional", 3: "three-dimensional"}[dimensions]
        raise CSRError(f"{name} must be {words}, got {_describe(array)}")


def _check_range(indices: np.ndarray, size: int, name: str) -> None:
    if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < size:
        wrong = indices[(indices < 0) | (indices >= size)][0]
        raise CSRError(f"{name} must be in [0, {size}), got {wrong}")


def _describe(value) -> str:
    return f"shape {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


_FORMATS: dict[str, Callable] = {
    "csr": _compressed,
    "csc": _compressed,
    "bsr": _blocks,
    "coo": _coordinates,
    "dia": _diagonals,
    "lil": _row_lists,
    "dok": _dictionary,
}
