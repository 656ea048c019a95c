"""y = x W^T + b on the kernels of this library."""

from __future__ import annotations

import numpy as np
import torch

from .. import _core
from . import plain
from .product import array


class LinearProduct:
    """The products of a pattern (out, in) with x (..., in); samples are rows throughout."""

    axis = -1  # of y, in which the outputs are

    def __init__(self, indptr: np.ndarray, indices: np.ndarray, shape: tuple[int, int], threads: int):
        self._shape = shape
        self._kernels = _core.Sparse(indptr, indices, shape, threads=threads)

    def forward(self, data: np.ndarray, bias: np.ndarray | None, x: torch.Tensor) -> torch.Tensor:
        rows, columns = self._shape
        y = x.new_empty((*x.shape[:-1], rows))
        self._kernels.forward(data, bias, _rows(x, columns), _rows(y, rows), samples_first=True)
        return y

    def backward_input(self, data: np.ndarray, gradient: torch.Tensor, size: torch.Size) -> torch.Tensor:
        rows, columns = self._shape
        dx = gradient.new_empty(size)
        self._kernels.backward_input(data, _rows(gradient, rows), _rows(dx, columns), samples_first=True)
        return dx

    def backward_weight(self, gradient: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The gradients of data (nnz,) and bias (out,)."""
        rows, columns = self._shape
        found = self._kernels.backward_weight(_rows(gradient, rows), _rows(x, columns), samples_first=True)
        return tuple(map(torch.from_numpy, found))

    def plain_gradients(self, x, data, indices, indptr, gradient, needs: tuple, size: torch.Size) -> tuple:
        """Those of x and data in torch's own operations, differentiable; None for x or data not needed."""
        rows, columns = self._shape
        dx = ddata = None
        if needs[0]:
            dx = gradient @ plain.dense_weight(data, indices, indptr, self._shape)
        if needs[1]:
            every = gradient.reshape(-1, rows).t() @ x.reshape(-1, columns)  # (out, in)
            ddata = plain.at_pattern(every, indices, indptr, self._shape)
        return dx, ddata


def _rows(tensor: torch.Tensor, features: int) -> np.ndarray:
    """tensor (..., features) as an array (samples, features)."""
    values = array(tensor)
    return values.reshape(values.size // features, features)
