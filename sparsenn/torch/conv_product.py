"""A convolution on the kernels that train convolutions: images go there in tiles and come back from them."""

from __future__ import annotations

import threading

import numpy as np
import torch
from torch.nn import functional

from .. import _core
from ..layers.window import Window
from . import plain
from .product import array


class ConvProduct:
    """The products of a weight (out, channels / groups * places) with x (batch, channels, height, width).

    window  its places, strides, padding of zeros and dilation;  dims  (channels, height, width) of x
    """

    axis = 1  # of y, in which the outputs are

    def __init__(
        self, indptr: np.ndarray, indices: np.ndarray, shape: tuple[int, int], window: Window, groups: int,
        dims: tuple[int, int, int], threads: int,
    ):  # fmt: skip
        self._shape, self._window, self._groups = shape, window, groups
        _core.csr_check(*shape, indptr, indices)
        every = _over_all_channels(indptr, indices, shape, groups)
        sizes = (shape[0], shape[1] * groups)
        self._kernels = _core.Convolution(indptr, every, sizes, dims, window.numbers, threads=threads)
        self._lock = threading.Lock()  # the kernels hold the values from set on

    def forward(self, data: np.ndarray, bias: np.ndarray | None, x: torch.Tensor) -> torch.Tensor:
        y = _empty(x, (self._shape[0], *self._kernels.out_size))
        if not len(x):
            return y
        tiles, made = self._load(x), self._tiles(y)
        with self._lock:
            self._kernels.set(data)
            self._kernels.forward_tiles(bias, tiles, None, None, made)
        return _store(made, y)

    def backward_input(self, data: np.ndarray, gradient: torch.Tensor, size: torch.Size) -> torch.Tensor:
        dx = _empty(gradient, size[1:])
        if not len(gradient):
            return dx
        slope, made = self._load(gradient), self._tiles(dx)
        with self._lock:
            self._kernels.set(data)
            self._kernels.backward_input_tiles(slope, made, None, None, made)
        return _store(made, dx)

    def backward_weight(self, gradient: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The gradients of data (nnz,) and bias (out,)."""
        ddata, dbias = (np.zeros(size, np.float32) for size in (self._kernels.nnz, self._shape[0]))
        if len(x):
            self._kernels.backward_weight_tiles(self._load(gradient), self._load(x), ddata, dbias)
        return torch.from_numpy(ddata), torch.from_numpy(dbias)

    def plain_gradients(self, x, data, indices, indptr, gradient, needs: tuple, size: torch.Size) -> tuple:
        """Those of x and data in torch's own operations, differentiable; None for x or data not needed."""
        window, nothing = self._window, gradient.new_empty(1)
        top, left, bottom, right = window.padding
        padded = (*size[:2], size[2] + top + bottom, size[3] + left + right)
        kernel = (self._shape[0], size[1] // self._groups, *window.kernel)
        source, weight = nothing.expand(padded), nothing.expand(kernel)  # of which the shape is read
        if needs[1]:
            source = functional.pad(x, (left, right, top, bottom))
        if needs[0]:
            weight = plain.dense_weight(data, indices, indptr, self._shape).view(kernel)
        how = (window.stride, (0, 0), window.dilation, False, (0, 0), self._groups, (*needs[:2], False))
        dx, every, _ = torch.ops.aten.convolution_backward(gradient, source, weight, None, *how)
        if needs[0]:
            dx = dx[:, :, top : top + size[2], left : left + size[3]]
        return dx, plain.at_pattern(every, indices, indptr, self._shape) if needs[1] else None

    def _tiles(self, images: torch.Tensor) -> np.ndarray:
        """Tiles for images (batch, channels, height, width), with the rows that the kernels write beside."""
        samples, rows = _core.tile_samples(), images.shape[1:].numel() + self._kernels.threads
        return np.empty((-(-len(images) // samples), rows, samples), np.float32)

    def _load(self, images: torch.Tensor) -> np.ndarray:
        tiles = self._tiles(images)
        rows = array(images.detach().permute(0, 2, 3, 1))
        _core.tiles_load(rows.reshape(len(rows), -1), tiles, self._kernels.threads)
        return tiles


def _over_all_channels(indptr: np.ndarray, indices: np.ndarray, shape: tuple[int, int], groups: int):
    """The indices of a matrix in which each group of rows has columns of its own."""
    if groups == 1:
        return indices
    group = np.arange(shape[0]) // (shape[0] // groups)
    return (indices + np.repeat(group * shape[1], np.diff(indptr))).astype(np.int32)


def _empty(like: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    """Room for as many images of dims (channels, height, width), channels last where like has them there."""
    last = like.is_contiguous(memory_format=torch.channels_last) and not like.is_contiguous()
    order = torch.channels_last if last else torch.contiguous_format
    return torch.empty((len(like), *dims), dtype=like.dtype, memory_format=order)


def _store(tiles: np.ndarray, images: torch.Tensor) -> torch.Tensor:
    """images (batch, channels, height, width), filled from tiles."""
    features, samples = images.shape[1:].numel(), tiles.shape[2]
    last = images.is_contiguous(memory_format=torch.channels_last)
    target = images if last else torch.empty_like(images, memory_format=torch.channels_last)
    rows = target.permute(0, 2, 3, 1).view(len(images), features)
    for index, tile in enumerate(torch.from_numpy(tiles)):
        part = rows[index * samples : (index + 1) * samples]
        part.copy_(tile[:features].t()[: len(part)])
    return images if last else images.copy_(target)
