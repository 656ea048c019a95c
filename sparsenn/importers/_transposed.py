"""Transposed convolutions of a source, as convolutions whose results are interleaved.

Place o of the result is q stride + r, and gets what the weights k with k dilation = r mod stride make of the
operand at q - k dilation // stride: for each r a convolution of its own, of the same weights, with stride 1.
Together they are one convolution, with stride times as many channels along each dimension.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..layers import DepthToSpace
from . import _convolutions
from ._data import At, Data
from ._moves import in_blocks, sliced


def transposed_convolution(
    data: Data,
    weight,
    bias,
    at: At,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    more: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Data:
    """Of (batch, channels, height, width).

    weight   (channels, out / groups, height, width);  bias  (out,) or None
    padding  (top, left, bottom, right) that is cut off;  more  places behind, in (height, width)
    """
    _convolutions.check_images(data, at)
    if not isinstance(weight, np.ndarray) or weight.ndim != 4 or 0 in weight.shape:
        raise at.fail(f"have a dense weight of four dimensions, got shape {getattr(weight, 'shape', None)}")
    channels, height, width = data.sizes
    if groups < 1 or channels % groups or weight.shape[0] != channels:
        raise at.bad(f"have a weight for {channels} channels in {groups} groups, got shape {weight.shape}")
    if min(*stride, *dilation) < 1 or min(more) < 0:
        raise at.bad(f"have strides and dilations of at least 1, got {tuple(stride)} and {tuple(dilation)}")
    outputs = weight.shape[1] * groups
    if bias is not None and bias.shape != (outputs,):
        raise at.bad(f"have a bias of {outputs} values, got shape {bias.shape}")
    axes = [
        _Axis(size, weight.shape[2 + i], stride[i], padding[i], padding[i + 2], more[i], dilation[i])
        for i, size in enumerate((height, width))
    ]
    if min(axis.size for axis in axes) < 1:
        raise at.bad(f"have a result, got sizes {tuple(axis.size for axis in axes)}")
    pads = []
    for i, axis in enumerate(axes):  # what no place reads is cut off
        before, behind = axis.pads
        data = sliced(data, 2 + i, max(0, -before), axis.count - max(0, -behind), 1, at)
        pads.append((max(0, before), max(0, behind)))
    (top, bottom), (left, right) = pads
    kernel = _phases(weight, axes, groups)
    window = _convolutions.window_of(at, kernel.shape[2:], 1, (top, left, bottom, right))
    spread = None if bias is None else np.repeat(bias, stride[0] * stride[1])
    made = _convolutions.convolution(data, kernel, spread, window, groups, at)
    return _interleaved(made, axes, at)


class _Axis:
    """One dimension: count of the operand, size of the result, and the q that this needs, first to last."""

    def __init__(self, count: int, kernel: int, stride: int, before: int, behind: int, more: int, step: int):
        self.count, self.stride = count, stride
        self.size = (count - 1) * stride + step * (kernel - 1) + 1 + more - before - behind
        self.first, self.last = before // stride, (before + self.size - 1) // stride
        self.start = before - self.first * stride  # of the result among the interleaved places
        self.places = [divmod(k * step, stride) for k in range(kernel)]  # how far back, and r, of each weight
        self.reach = max(back for back, _ in self.places)

    @property
    def pads(self) -> tuple[int, int]:
        """Around the operand; negative: of it, that no place reads."""
        return self.reach - self.first, self.last - self.count + 1


def _phases(weight: np.ndarray, axes: list[_Axis], groups: int) -> np.ndarray:
    """weight (channels, out / groups, ...) -> (out r r', channels / groups, ...)."""
    rows, columns = axes
    own = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)  # (groups, out, in, height, width)
    shape = (*own.shape[:2], rows.stride, columns.stride, own.shape[2], rows.reach + 1, columns.reach + 1)
    made = np.zeros(shape, weight.dtype)
    for i, (down, r) in enumerate(rows.places):
        for k, (right, s) in enumerate(columns.places):
            made[:, :, r, s, :, rows.reach - down, columns.reach - right] = own[..., i, k]
    return made.reshape(-1, *shape[4:])


def _interleaved(data: Data, axes: list[_Axis], at: At) -> Data:
    """(out r r', height, width) as images, cut to the result."""
    strides = [axis.stride for axis in axes]
    if strides != [1, 1]:
        data = in_blocks(data, DepthToSpace(tuple(strides)), at)
    for i, axis in enumerate(axes):
        data = sliced(data, 2 + i, axis.start, axis.start + axis.size, 1, at)
    return data
