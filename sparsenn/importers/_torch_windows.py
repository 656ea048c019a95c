"""The functions of torch that move a window, each with the arguments that it has there, after the place."""

from __future__ import annotations

import math

from ..errors import ArgumentError
from ..layers import DepthToSpace, SpaceToDepth
from ..layers.pad import MODES
from ..layers.window import pair
from . import _convolutions
from ._data import Data
from ._moves import in_blocks
from ._torch_place import Place
from ._transposed import transposed_convolution


def conv2d(at: Place, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Data:
    return _convolve(at, input, at.array(weight, "weight"), bias, stride, padding, dilation, groups)


def _convolve(at: Place, input, weight, bias, stride, padding, dilation, groups) -> Data:
    """weight: an array. padding: numbers, "valid", or "same", which has one more behind where it is odd."""
    if len(weight.shape) != 4:
        raise at.fail(f"have a weight (out, channels, size of the kernel), got shape {weight.shape}")
    if isinstance(padding, str):
        dilations = pair("dilation", dilation)
        reach = [step * (size - 1) for step, size in zip(dilations, weight.shape[2:], strict=True)]
        before = [room // 2 for room in reach]
        behind = [room - own for room, own in zip(reach, before, strict=True)]
        padding = (*before, *behind) if padding == "same" else 0
    window = _convolutions.window_of(at, weight.shape[2:], stride, padding, dilation)
    groups = at.integer(groups, "groups")
    return _convolutions.convolution(at.data(input), weight, at.array(bias, "bias"), window, groups, at)


def conv_transpose2d(
    at: Place, input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> Data:
    return _transpose(at, at.data(input), at.array(weight, "weight"), bias, stride, padding, output_padding,
                      groups, dilation)  # fmt: skip


def _transpose(at: Place, data: Data, weight, bias, stride, padding, more, groups, dilation) -> Data:
    numbers = {"stride": pair("stride", stride), "dilation": pair("dilation", dilation)}
    numbers |= {"padding": pair("padding", padding, minimum=0) * 2}
    numbers |= {"more": pair("output_padding", more, minimum=0), "groups": at.integer(groups, "groups")}
    return transposed_convolution(data, weight, at.array(bias, "bias"), at, **numbers)


def conv_transpose1d(
    at: Place, input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> Data:
    array = at.array(weight, "weight")
    if len(array.shape) != 3:
        raise at.fail(f"have a weight (channels, out, size of the kernel), got shape {array.shape}")
    parts = ("stride", stride), ("padding", padding), ("padding", output_padding)
    flat = [_flat(at, value, name) for name, value in parts]
    data = _convolutions.lifted(at.data(input), at)
    made = _transpose(at, data, array[:, :, None], bias, *flat, groups, _flat(at, dilation, "dilation"))
    return _convolutions.lowered(made, at)


def pad(at: Place, input, pad, mode="constant", value=None) -> Data:
    """Around dimensions, the last first: left, right, top, bottom."""
    data, pads = at.data(input), at.integers(pad, "pad")
    modes = {theirs: own for own, theirs in MODES.items()}
    if mode not in modes:
        raise at.fail(f"have a mode of {', '.join(modes)}, got {mode!r}")
    if len(pads) % 2 or len(pads) > 2 * data.rank:
        raise at.bad(f"have two pads for each of at most {data.rank} dimensions, got {pads[:16]}")
    given = {
        data.rank - 1 - index: pair for index, pair in enumerate(zip(pads[::2], pads[1::2], strict=True))
    }
    number = 0.0 if value is None else at.number(value, "value")
    return _convolutions.padded(data, given, modes[mode], number, at)


def max_pool2d(
    at: Place, input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
) -> Data:
    if return_indices:
        raise at.fail("return no indices")
    window = _convolutions.window_of(at, kernel_size, stride or kernel_size, padding, dilation)
    return _convolutions.max_pool(at.data(input), window, at, ceil=bool(ceil_mode))


def avg_pool2d(
    at: Place,
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
) -> Data:
    if divisor_override is not None and divisor_override != math.prod(pair("kernel_size", kernel_size)):
        raise at.fail(f"divide by the size of its window, got divisor_override={divisor_override}")
    window = _convolutions.window_of(at, kernel_size, stride or kernel_size, padding)
    counts, ceil = bool(count_include_pad), bool(ceil_mode)
    return _convolutions.avg_pool(at.data(input), window, at, counts=counts, ceil=ceil)


def adaptive_avg_pool2d(at: Place, input, output_size) -> Data:
    return _convolutions.adaptive_pool(at.data(input), _both(output_size), at)


def adaptive_max_pool2d(at: Place, input, output_size, return_indices=False) -> Data:
    if return_indices:
        raise at.fail("return no indices")
    return _convolutions.adaptive_pool(at.data(input), _both(output_size), at, largest=True)


def _both(size) -> list:
    return list(size) if isinstance(size, (list, tuple)) else [size, size]


def _flat(at: Place, value, name: str):
    """A number of the one dimension as (height, width)'s, the height's being plain."""
    plain = 0 if name == "padding" else 1
    values = [value] if isinstance(value, int) else list(value)
    if len(values) != 1:
        raise at.fail(f"have one {name}, got {value}")
    return (plain, values[0])


def conv1d(at: Place, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Data:
    array = at.array(weight, "weight")
    if len(array.shape) == 3:
        array = array[:, :, None]
    stride, dilation = _flat(at, stride, "stride"), _flat(at, dilation, "dilation")
    padding = padding if isinstance(padding, str) else _flat(at, padding, "padding")
    data = _convolutions.lifted(at.data(input), at)
    return _convolutions.lowered(_convolve(at, data, array, bias, stride, padding, dilation, groups), at)


def max_pool1d(
    at: Place, input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
) -> Data:
    parts = (kernel_size, kernel_size if stride in (None, [], ()) else stride)
    kernel, stride = (_flat(at, part, "kernel_size") for part in parts)
    padding, dilation = _flat(at, padding, "padding"), _flat(at, dilation, "dilation")
    data = _convolutions.lifted(at.data(input), at)
    made = max_pool2d(at, data, kernel, stride, padding, dilation, ceil_mode, return_indices)
    return _convolutions.lowered(made, at)


def avg_pool1d(
    at: Place, input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True
) -> Data:
    parts = (kernel_size, kernel_size if stride in (None, [], ()) else stride)
    kernel, stride = (_flat(at, part, "kernel_size") for part in parts)
    data = _convolutions.lifted(at.data(input), at)
    made = avg_pool2d(at, data, kernel, stride, _flat(at, padding, "padding"), ceil_mode, count_include_pad)
    return _convolutions.lowered(made, at)


def adaptive_avg_pool1d(at: Place, input, output_size) -> Data:
    data = _convolutions.lifted(at.data(input), at)
    return _convolutions.lowered(adaptive_avg_pool2d(at, data, _flat(at, output_size, "output_size")), at)


def pixel_shuffle(at: Place, input, upscale_factor) -> Data:
    return _in_blocks(at, input, DepthToSpace, at.integer(upscale_factor, "upscale_factor"))


def pixel_unshuffle(at: Place, input, downscale_factor) -> Data:
    return _in_blocks(at, input, SpaceToDepth, at.integer(downscale_factor, "downscale_factor"))


def _in_blocks(at: Place, input, kind, size: int) -> Data:
    try:
        return in_blocks(at.data(input), kind(size), at)
    except ArgumentError as error:
        raise at.bad(f"have a factor that makes sense: {error}") from None
