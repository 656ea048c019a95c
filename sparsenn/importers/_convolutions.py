"""Convolutions and pools of a source: functions on Data, and scales that are folded into a convolution."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from .. import layers
from ..errors import ArgumentError
from ..graph.value import Value
from ..layers import AvgPool2d, Conv2d, MaxPool2d, Reshape
from ..layers.window import Window
from ._data import At, Data, check_size
from ._moves import padded as padded_axis
from ._moves import squeezed, unsqueezed
from ._steps import BREAK_EVEN, Scale, check_floats
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
        window, options = self.window, {"groups": self.groups}
        options |= {"stride": window.stride, "padding": window.given_padding, "dilation": window.dilation}
        layer = Conv2d(np.asarray(self.weight, np.float32), self.bias, **options)
        if layer.sparse:
            layer.weight.eliminate_zeros()
        elif zeros >= BREAK_EVEN:
            layer.weight = scipy.sparse.csr_array(layer.weight)
        return layer


@dataclass(frozen=True)
class Pad:
    """A value around an image, (top, left, bottom, right): a step until a window takes it over."""

    padding: tuple[int, int, int, int]
    value: float

    def __call__(self, value: Value) -> Value:
        """As layers of their own, where no window did."""
        top, left, bottom, right = self.padding
        for axis, before, behind in ((2, top, bottom), (3, left, right)):
            if before or behind:
                value = layers.Pad(axis, before, behind, "constant", self.value)(value)
        return value


def padded(data: Data, given: dict[int, tuple[int, int]], mode: str, value: float, at: At) -> Data:
    """(before, behind) of each axis of the tensor."""
    images = {axis for axis, pads in given.items() if any(pads)} <= set(range(data.rank)[2:])
    if (
        mode == "constant"
        and data.axis is not None
        and images
        and data.rank in (3, 4)
        and min(map(min, given.values()), default=0) >= 0
    ):
        before, behind = zip(*(given.get(axis, (0, 0)) for axis in range(2, data.rank)), strict=True)
        lift = data.rank == 3
        padding = (*(0,) * lift, *before, *(0,) * lift, *behind)
        made = pad(lifted(data, at) if lift else data, padding, value, at)
        return lowered(made, at) if lift else made
    for axis, (before, behind) in given.items():
        data = padded_axis(data, axis, before, behind, mode, value, at)
    return data


def pad(data: Data, padding: Sequence[int], value: float, at: At) -> Data:
    check_images(data, at)
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


def check_images(data: Data, at: At) -> None:
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
    check_images(data, at)
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


def with_padding(step: Convolution, axis: int, before: int, behind: int) -> Convolution:
    """The convolution with more zeros along height (0) or width (1)."""
    padding = list(step.window.padding)
    padding[axis] += before
    padding[axis + 2] += behind
    window = step.window
    padded = Window.of(window.kernel, stride=window.stride, padding=padding, dilation=window.dilation)
    return replace(step, window=padded)


def _taken_over(data: Data, window: Window, value: float, at: At) -> tuple[Data, Window]:
    """Padding of that value before a window as the window's own."""
    while window.rule is None and isinstance(data.wire.step, Pad) and data.wire.step.value == value:
        padding = [own + more for own, more in zip(window.padding, data.wire.step.padding, strict=True)]
        window = window_of(at, window.kernel, window.stride, padding, window.dilation)
        data = Data(data.wire.operands[0], data.batch)
    return data, window


def max_pool(data: Data, window: Window, at: At, *, ceil: bool = False) -> Data:
    check_images(data, at)
    window = _with_ceil(window, data.sizes[1:]) if ceil else window
    data, window = _taken_over(data, window, -math.inf, at)
    step = MaxPool2d(window.kernel, window.stride, window.given_padding, window.dilation)
    return _moved(data, step, window, data.sizes[0], at)


def avg_pool(data: Data, window: Window, at: At, *, counts: bool, ceil: bool = False) -> Data:
    check_images(data, at)
    if window.dilation != (1, 1):
        return _mean_apart(data, window, at, counts=counts, ceil=ceil)
    if ceil and (whole := _with_ceil(window, data.sizes[1:])) != window:
        if counts and any(window.padding):  # its padding counts, what lies behind that does not
            data = pad(data, window.padding, 0.0, at)
            behind = (more - own for more, own in zip(whole.padding, window.padding, strict=True))
            whole = window_of(at, window.kernel, window.stride, tuple(behind))
        window, counts = whole, False
    if counts or not any(window.padding):
        data, whole = _taken_over(data, window, 0.0, at)
        counts, window = counts or whole != window, whole
    try:
        step = AvgPool2d(window.kernel, window.stride, window.given_padding, counts)
    except ArgumentError as error:
        raise at.bad(f"have a window that makes sense: {error}") from None
    return _moved(data, step, window, data.sizes[0], at)


def _mean_apart(data: Data, window: Window, at: At, *, counts: bool, ceil: bool) -> Data:
    """Of places that are not next to each other: a depthwise convolution adds them up."""
    window = window.on(*data.sizes[1:])
    whole = _with_ceil(window, data.sizes[1:]) if ceil else window
    channels, (top, left, bottom, right) = data.sizes[0], window.padding
    dims = _moved(data, None, whole, channels, at).sizes
    ones = np.pad(np.ones(data.sizes[1:]), ((top, bottom), (left, right)), constant_values=float(counts))
    more = [own - part for own, part in zip(whole.padding[2:], window.padding[2:], strict=True)]
    ones = np.pad(ones, [(0, behind) for behind in more])[None, :, :, None]
    share = np.sum(whole.places(ones), axis=0).reshape(1, *dims[1:])
    if not share.all():
        raise at.bad(f"have a value in every window, got {window}")
    alike = share.min() == share.max()
    weight = np.full((channels, 1, *window.kernel), 1 / share.min() if alike else 1.0)
    made = convolution(data, weight, None, whole, channels, at)
    return made if alike else made.then(Scale(1 / share, np.zeros(1), at.name))


def global_pool(data: Data, at: At, *, largest: bool = False) -> Data:
    """One value a channel, (batch, channels, 1, 1)."""
    check_images(data, at)
    window = Window.of(data.sizes[1:])
    return max_pool(data, window, at) if largest else avg_pool(data, window, at, counts=True)


def adaptive_pool(data: Data, size: Sequence[int | None], at: At, *, largest: bool = False) -> Data:
    """The mean, or the largest value, of equal parts."""
    check_images(data, at)
    parts = [own if part is None else part for own, part in zip(data.sizes[1:], size, strict=True)]
    if any(part < 1 or own % part for own, part in zip(data.sizes[1:], parts, strict=True)):
        raise at.fail(f"cut {data.sizes[1:]} into equal parts, got {tuple(parts)}")
    kernel = [own // part for own, part in zip(data.sizes[1:], parts, strict=True)]
    window = Window.of(kernel, stride=kernel)
    if kernel == [1, 1]:
        return data
    return max_pool(data, window, at) if largest else avg_pool(data, window, at, counts=True)


def _with_ceil(window: Window, sizes: Sequence[int]) -> Window:
    """The window with padding behind for a result whose size is rounded up; a place begins before that."""
    if window.rule:  # its size is rounded up
        return window
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
    """The wires, each scale of channels folded into the convolution beside it that alone reads it."""
    order = in_order(wires)
    readers = Counter(operand for wire in order for operand in wire.operands)
    readers.update(wires)
    new: dict[Wire, Wire] = {}
    for wire in order:
        operands = tuple(new[operand] for operand in wire.operands)
        alone = len(operands) == 1 and readers[wire.operands[0]] == 1
        made = _merged(wire, operands[0]) or _merged_below(wire, operands[0], readers) if alone else None
        same = all(a is b for a, b in zip(operands, wire.operands, strict=True))
        new[wire] = made or (wire if same else Wire(wire.step, operands, wire.sizes))
    return [new[wire] for wire in wires]


def _merged(wire: Wire, before: Wire) -> Wire | None:
    """The two as one, or None."""
    if isinstance(wire.step, Scale) and isinstance(before.step, Convolution):
        step = _scaled(before.step, wire.step)
    elif isinstance(wire.step, Convolution) and isinstance(before.step, Scale):
        step = _of_scaled(before.step, wire.step)
    elif isinstance(wire.step, Scale) and isinstance(before.step, Scale) and len(wire.sizes) == 3:
        step = _twice_scaled(before.step, wire.step, wire.sizes[0])
    else:
        return None
    return None if step is None else Wire(step, before.operands, wire.sizes)


def _merged_below(wire: Wire, view: Wire, readers: Counter) -> Wire | None:
    """A scale behind a view of the positions of a convolution, taken into that."""
    if not isinstance(wire.step, Scale) or not isinstance(view.step, Reshape):
        return None
    (before,) = view.operands
    if not isinstance(before.step, Convolution) or readers[before] > 1 or view.sizes[0] != before.sizes[0]:
        return None
    ones = (1,) * (len(view.sizes) - 1)
    if any(
        part.size != 1 and part.shape != (view.sizes[0], *ones) for part in (wire.step.scale, wire.step.shift)
    ):
        return None
    scale, shift = (
        part.reshape(-1, 1, 1) if part.size > 1 else part for part in (wire.step.scale, wire.step.shift)
    )
    step = _scaled(before.step, Scale(scale, shift, wire.step.name))
    return None if step is None else Wire(view.step, (Wire(step, before.operands, before.sizes),), wire.sizes)


def _channels(scale: Scale, count: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Factors and shifts of the channels, float64, where they are all that the scale has."""
    if any(part.size != 1 and part.shape != (count, 1, 1) for part in (scale.scale, scale.shift)):
        return None
    with np.errstate(invalid="ignore"):
        parts = (np.asarray(part, np.float64).reshape(-1) for part in (scale.scale, scale.shift))
        return tuple(np.broadcast_to(part, (count,)) for part in parts)


def _twice_scaled(first: Scale, second: Scale, channels: int | None) -> Scale | None:
    if channels is None or _channels(first, channels) is None or _channels(second, channels) is None:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        scale = first.scale.astype(np.float64) * second.scale
        shift = first.shift.astype(np.float64) * second.scale + second.shift
    return Scale(scale, shift, second.name)


def _scaled(convolution: Convolution, scale: Scale) -> Convolution | None:
    """A scale of what a convolution gives."""
    parts = _channels(scale, convolution.weight.shape[0])
    if parts is None:
        return None
    factors, shift = parts
    weight, bias = convolution.weight, convolution.bias
    with np.errstate(invalid="ignore", over="ignore"):
        weight = weight if (factors == 1).all() else weight * factors[:, None, None, None]
        bias = shift if bias is None else bias.astype(np.float64) * factors + shift
    return replace(convolution, weight=weight, bias=bias)


def _of_scaled(scale: Scale, convolution: Convolution) -> Convolution | None:
    """A convolution of what a scale gives; not of a shift that padding has not."""
    weight, groups = convolution.weight, convolution.groups
    parts = _channels(scale, weight.shape[1] * groups)
    if parts is None or (parts[1].any() and any(convolution.window.padding)):
        return None
    # (out, channels of its group), as the weight has them
    factors, shift = (np.repeat(part.reshape(groups, -1), len(weight) // groups, axis=0) for part in parts)
    with np.errstate(invalid="ignore", over="ignore"):
        bias = np.einsum("ocij,oc->o", weight.astype(np.float64), shift) if shift.any() else None
        if bias is not None and convolution.bias is not None:
            bias = bias + convolution.bias.astype(np.float64)
        weight = weight if (factors == 1).all() else weight * factors[:, :, None, None]
    return replace(convolution, weight=weight, bias=convolution.bias if bias is None else bias)
