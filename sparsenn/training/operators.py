"""The kernels of one weight's pattern: the one place where training meets the C core."""

from __future__ import annotations

import numpy as np

from .. import _core
from ..layers import Conv2d, Matrix
from ..weights import core_indices
from .places import Place
from .tiles import Layout


def make_operator(layer: Matrix, dims: tuple[int, ...], threads: int, isa: bytes):
    """The products of a layer with a weight, on tiles.

    dims  of a sample of what the layer reads
    """
    if isinstance(layer, Conv2d):
        return _convolution(layer, layer.weight, dims, threads, isa)
    return _core.Sparse(*_pattern(layer.weight), layer.shape, threads=threads, isa=isa)


def _convolution(layer: Conv2d, weight, dims: tuple[int, ...], threads: int, isa: bytes):
    """Of a weight (any number of rows, in) with the layer's window."""
    window = layer.window.on(*dims[1:]).numbers
    return _core.Convolution(*_pattern(weight), weight.shape, dims, window, threads=threads, isa=isa)


def dense_gradient(
    layer: Matrix, source: Place, result: Place, first: int, last: int, layout: Layout
) -> np.ndarray:
    """Rows [first, last) of the gradient of a layer's weight, at every column: (rows, in) float32."""
    total = np.zeros((last - first, layer.shape[1]), np.float32)
    slope = result.slope[:, : result.features]
    if not isinstance(layer, Conv2d):
        for dy, x in zip(slope, source.rows, strict=True):
            total += dy[first:last] @ x.T
        return total
    tiles, samples = len(slope), slope.shape[2]
    part = slope.reshape(tiles, -1, layer.shape[0], samples)[:, :, first:last].reshape(tiles, -1, samples)
    part = np.concatenate([part, np.zeros((tiles, layout.scratch, samples), np.float32)], axis=1)
    operator = _convolution(layer, total, source.dims, layout.threads, layout.isa)
    operator.backward_weight_tiles(part, source.value, total.reshape(-1), None)
    return total


def _pattern(weight) -> tuple[np.ndarray, np.ndarray]:
    """indptr (out + 1,) int64 and indices (nnz,) int32 of a csr_array; of an ndarray, every weight."""
    if not isinstance(weight, np.ndarray):
        return core_indices(weight)
    rows, columns = weight.shape
    indptr = np.arange(0, rows * columns + 1, columns, dtype=np.int64)
    return indptr, np.tile(np.arange(columns, dtype=np.int32), rows)
