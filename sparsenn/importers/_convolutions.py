"""Convolutions and pools of a source: functions on Data, and scales that are folded into a convolution."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from ..errors import ArgumentError
from ..layers import AvgPool2d, Conv2d, MaxPool2d
from ..layers.window import Window
from ._data import At, Data, check_size
from ._moves import squeezed, unsqueezed
from ._steps import BREAK_EVEN, Scale, check_finite, check_floats
from ._wires import Wire, in_order


@dataclass(frozen=True)
class Convolution:
    """weight (out, channels / groups, kernel height, kernel width) and bias (out,) or None, of any float."""

    weight: np.ndarray
    bias: np.ndarray | None
    groups: int
    window: Window
    name: str

    def layer(self) -> Conv2d:
        """With its own float32 arrays: CSR where most of the weight is zero, groups counted."""
        check_floats(self.weight, self.bias, self.name)
        zeros = 1 - np.count_nonzero(self.weight) / self.weight.size / self.groups
        with np.errstate(over="ignore"):
            layer = Conv2d(np.asarray(self.weight, np.float32), self.bias, groups=self.groups)
        weight = layer.weight
        if zeros >= BREAK_EVEN and not layer.sparse:
            weight = scipy.sparse.csr_array(weight)
        if layer.sparse:
            weight.eliminate_zeros()
        made = Conv2d.of_window(weight, layer.bias, self.window)
        check_finite(made, self.name)
        return made


@dataclass(frozen=True)
class Pad:
    """A value around an image, (top, left, bottom, right): a step until a window takes it over."""

    padding: tuple[int, int, int, int]
    value: float


def pad(data: Data, padding: Sequence[int], value: float, at: At) -> Data:
    _images(data, at)
    if len(padding) != 4 or min(padding) < 0:
        raise at.fail(f"have four paddings of at least 0, got {tuple(padding)}")
    top, left, bottom, right = padding
    channels, height, width = data.sizes
    sizes = (channels, height + top + bottom, width + left + right)
    check_size(sizes, at)
    return data.then(Pad((top, left, bottom, right), value), sizes=sizes) if any(padding) else data


def window_of(at: At, kernel, stride, padding, dilation=1) -> Window:
    try:
        return Window.of(kernel, stride=stride, padding=padding, dilation=dilation)
    except (ArgumentError, TypeError) as error:
        raise at.bad(f"have a window that makes sense: {error}") from None


def lifted(data: Data, at: At) -> Data:
    """(batch, channels, length) as images of height 1."""
    return unsqueezed(data, [2], at)


def lowered(data: Data, at: At) -> Data:
    return squeezed(data, [2], at)


def _images(data: Data, at: At) -> None:
    if data.axis != 0:
        raise at.fail_batch("have the batch in dimension 0")
    if len(data.sizes) != 3:
        raise at.fail(f"take (batch, channels, height, width), got {data}")
    if None in data.sizes:
        raise at.unknown(data)


def _moved(data: Data, step: object, window: Window, channels: int, at: At) -> Data:
    try:
        dims = window.infer("a window", (None, *data.sizes), channels)
        if isinstance(step, MaxPool2d):
            step.infer((None, *data.sizes))
    except ArgumentError as error:
        raise at.bad(f"have a window that fits: {error}") from None
    check_size(dims[1:], at)
    return data.then(step, sizes=dims[1:])


def convolution(data: Data, weight, bias, window: Window, groups: int, at: At) -> Data:
    _images(data, at)
    if not isinstance(weight, np.ndarray) or weight.ndim != 4 or 0 in weight.shape:
        raise at.fail(f"have a dense weight of four dimensions, got shape {getattr(weight, 'shape', None)}")
    if groups < 1 or weight.shape[0] % groups or weight.shape[1] * groups != data.sizes[0]:
        raise at.bad(
            f"have a weight for {data.sizes[0]} channels in {groups} groups, got shape {weight.shape}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise at.bad(f"have a bias of {weight.shape[0]} values, got shape {bias.shape}")
    if window.kernel != weight.shape[2:]:
        raise at.bad(f"have a kernel of the weight's {weight.shape[2:]}, got {window.kernel}")
    data, window = _taken_over(data, window, 0.0, at)
    return _moved(data, Convolution(weight, bias, groups, window, at.name), window, weight.shape[0], at)


def _taken_over(data: Data, window: Window, value: float, at: At) -> tuple[Data, Window]:
    """Padding of that value before a window as the window's own."""
    while isinstance(data.wire.step, Pad) and data.wire.step.value == value:
        padding = [own + more for own, more in zip(window.padding, data.wire.step.padding, strict=True)]
        window = window_of(at, window.kernel, window.stride, padding, window.dilation)
        data = Data(data.wire.operands[0], data.batch)
    return data, window


def max_pool(data: Data, window: Window, at: At, *, ceil: bool = False) -> Data:
    _images(data, at)
    window = _with_ceil(window, data.sizes[1:]) if ceil else window
    data, window = _taken_over(data, window, -math.inf, at)
    step = MaxPool2d(window.kernel, window.stride, window.padding, window.dilation)
    return _moved(data, step, window, data.sizes[0], at)


def avg_pool(data: Data, window: Window, at: At, *, counts: bool, ceil: bool = False) -> Data:
    _images(data, at)
    if ceil and _with_ceil(window, data.sizes[1:]) != window:
        raise at.fail("not round the size of its result up")
    if counts or not any(window.padding):
        data, whole = _taken_over(data, window, 0.0, at)
        counts, window = counts or whole != window, whole
    try:
        step = AvgPool2d(window.kernel, window.stride, window.padding, counts)
    except ArgumentError as error:
        raise at.bad(f"have a window that makes sense: {error}") from None
    return _moved(data, step, window, data.sizes[0], at)


def global_pool(data: Data, at: At, *, largest: bool = False) -> Data:
    """One value a channel, (batch, channels, 1, 1)."""
    _images(data, at)
    window = Window.of(data.sizes[1:])
    return max_pool(data, window, at) if largest else avg_pool(data, window, at, counts=True)


def adaptive_pool(data: Data, size: Sequence[int | None], at: At) -> Data:
    """The mean of equal parts."""
    _images(data, at)
    parts = [own if part is None else part for own, part in zip(data.sizes[1:], size, strict=True)]
    if any(part < 1 or own % part for own, part in zip(data.sizes[1:], parts, strict=True)):
        raise at.fail(f"cut {data.sizes[1:]} into equal parts, got {tuple(parts)}")
    kernel = [own // part for own, part in zip(data.sizes[1:], parts, strict=True)]
    return data if kernel == [1, 1] else avg_pool(data, Window.of(kernel, stride=kernel), at, counts=True)


def _with_ceil(window: Window, sizes: Sequence[int]) -> Window:
    """The window with padding behind for a result whose size is rounded up; a place begins before that."""
    more = []
    for axis, size in enumerate(sizes):
        stride, before, behind = window.stride[axis], window.padding[axis], window.padding[axis + 2]
        room = size + before + behind - window.dilation[axis] * (window.kernel[axis] - 1) - 1
        count = -(-room // stride) + 1
        if (count - 1) * stride >= size + before:
            count -= 1
        more.append(max(0, (count - 1) * stride - room))
    top, left, bottom, right = window.padding
    padding = (top, left, bottom + more[0], right + more[1])
    return Window.of(window.kernel, stride=window.stride, padding=padding, dilation=window.dilation)


def folded(wires: list[Wire]) -> list[Wire]:
    """The wires, each scale of channels folded into the convolution before it that nothing else reads."""
    order = in_order(wires)
    readers = Counter(operand for wire in order for operand in wire.operands)
    readers.update(wires)
    new: dict[Wire, Wire] = {}
    for wire in order:
        operands = tuple(new[operand] for operand in wire.operands)
        made = _scaled(wire, operands) if operands and readers[wire.operands[0]] == 1 else None
        same = all(a is b for a, b in zip(operands, wire.operands, strict=True))
        new[wire] = made or (wire if same else Wire(wire.step, operands, wire.sizes))
    return [new[wire] for wire in wires]


def _scaled(wire: Wire, operands: tuple[Wire, ...]) -> Wire | None:
    scale, before = wire.step, operands[0].step
    if not isinstance(scale, Scale) or not isinstance(before, Convolution) or len(operands) != 1:
        return None
    rows = before.weight.shape[0]
    if any(part.size != 1 and part.shape != (rows, 1, 1) for part in (scale.scale, scale.shift)):
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        factors, shift = (
            np.broadcast_to(np.asarray(part, np.float64).reshape(-1), (rows,))
            for part in (scale.scale, scale.shift)
        )
        weight = before.weight if (factors == 1).all() else before.weight * factors[:, None, None, None]
        bias = shift if before.bias is None else before.bias.astype(np.float64) * factors + shift
    step = Convolution(weight, bias, before.groups, before.window, before.name)
    return Wire(step, operands[0].operands, wire.sizes)
