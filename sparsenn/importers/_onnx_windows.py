"""The ONNX operators that move a window over (batch, channels, height, width)."""

from __future__ import annotations

from ..layers.pad import MODES
from . import _convolutions
from ._data import Data
from ._moves import batched, permuted
from ._onnx_values import Node
from ._transposed import transposed_convolution


def _window(node: Node, data: Data, kernel: tuple[int, ...], lift: bool):
    """The window of a node: two spatial dimensions, padding as it is given or as auto_pad asks.

    lift: the node has one, the width; the height is 1.
    """
    if data.rank != 4 or len(kernel) != 2 - lift:
        raise node.fail(
            f"take (batch, channels, height, width) or (batch, channels, length), got {data} and a kernel of "
            f"{len(kernel)} sizes"
        )
    if None in data.sizes:
        raise node.unknown(data)
    one = (1,) * (2 - lift)
    strides, dilations = node.attributes.get("strides", one), node.attributes.get("dilations", one)
    padding = node.attributes.get("pads", (0, 0) * (2 - lift))
    if lift:
        kernel, strides, dilations = (1, *kernel), (1, *strides), (1, *dilations)
        padding = (0, padding[0], 0, padding[1]) if len(padding) == 2 else ()
    auto = node.attributes.get("auto_pad", "NOTSET")
    if auto != "NOTSET" and "pads" in node.attributes:
        raise node.bad("have pads or an auto_pad, got both")
    if auto == "VALID":
        padding = (0, 0, 0, 0)
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        padding = auto.lower()
    elif auto != "NOTSET":
        raise node.fail(f"have auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER, got {auto!r:.40}")
    if not isinstance(padding, str) and len(padding) != 4:
        raise node.bad("have a pad for each side")
    return _convolutions.window_of(node, kernel, strides, padding, dilations)


def _on_images(function):
    """(node, data, lift) -> data on images, for (batch, channels, length) too.

    Of the one sample that (steps, channels, length) is, the steps are the height of an image.
    """

    def run(node: Node) -> Data:
        data = node.data(0)
        if data.axis is None and data.rank == 3:
            image = permuted(data, (1, 0, 2), node)
            made = function(node, Data(image.wire, image.batch), True)
            return permuted(Data(made.wire, made.batch, None), (1, 0, 2), node)
        data = batched(data, 0, node)
        if data.rank != 3:
            return function(node, data, False)
        return _convolutions.lowered(function(node, _convolutions.lifted(data, node), True), node)

    return run


@_on_images
def conv(node: Node, data: Data, lift: bool) -> Data:
    weight, bias = node.constant(1), node.constant(2, optional=True)
    if weight.ndim != 4 - lift:
        raise node.fail(f"have a weight of {4 - lift} dimensions, got shape {weight.shape}")
    window = _window(node, data, node.attributes.get("kernel_shape", tuple(weight.shape[2:])), lift)
    weight = weight[:, :, None] if lift else weight
    return _convolutions.convolution(data, weight, bias, window, node.attributes.get("group", 1), node)


@_on_images
def conv_transpose(node: Node, data: Data, lift: bool) -> Data:
    """Pads as they are given, or as the shape of the result or auto_pad asks."""
    weight, bias = node.constant(1), node.constant(2, optional=True)
    if weight.ndim != 4 - lift or data.rank != 4:
        raise node.fail(f"take images and a weight for them, got {data} and {weight.shape}")
    if None in data.sizes:
        raise node.unknown(data)

    def both(name: str, default: int) -> tuple[int, ...]:
        numbers = node.attributes.get(name, (default,) * (2 - lift))
        numbers = (default, *numbers) if lift else numbers
        if len(numbers) != 2:
            raise node.bad(f"have {name} of {2 - lift} numbers, got {numbers[:8]}")
        return numbers

    weight = weight[:, :, None] if lift else weight
    stride, dilation, more = both("strides", 1), both("dilations", 1), both("output_padding", 0)
    auto, sizes = node.attributes.get("auto_pad", "NOTSET"), data.sizes[1:]
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise node.fail(f"have auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER, got {auto!r:.40}")
    wanted = None
    if "output_shape" in node.attributes:
        wanted = both("output_shape", 1)
    elif auto.startswith("SAME"):
        wanted = tuple(size * step for size, step in zip(sizes, stride, strict=True))
    if wanted is None:
        pads = node.attributes.get("pads", (0, 0) * (2 - lift)) if auto == "NOTSET" else (0, 0) * (2 - lift)
        padding = (0, pads[0], 0, pads[1]) if lift and len(pads) == 2 else pads
    else:
        rooms = [
            (size - 1) * step + (kernel - 1) * far + 1 + behind - made
            for size, step, kernel, far, behind, made in zip(
                sizes, stride, weight.shape[2:], dilation, more, wanted, strict=True
            )
        ]
        halves = [room // 2 if auto == "SAME_UPPER" else room - room // 2 for room in rooms]
        padding = (*halves, *(room - half for room, half in zip(rooms, halves, strict=True)))
    if len(padding) != 4:
        raise node.bad("have a pad for each side")
    return transposed_convolution(
        data, weight, bias, node, stride=stride, padding=padding, more=more, dilation=dilation,
        groups=node.attributes.get("group", 1),
    )  # fmt: skip


@_on_images
def max_pool(node: Node, data: Data, lift: bool) -> Data:
    if any(node.used[1:]):
        raise node.fail("return no indices")
    window = _window(node, data, node.attributes.get("kernel_shape", ()), lift)
    return _convolutions.max_pool(data, window, node, ceil=bool(node.attributes.get("ceil_mode", 0)))


@_on_images
def average_pool(node: Node, data: Data, lift: bool) -> Data:
    window = _window(node, data, node.attributes.get("kernel_shape", ()), lift)
    counts, ceil = (bool(node.attributes.get(name, 0)) for name in ("count_include_pad", "ceil_mode"))
    return _convolutions.avg_pool(data, window, node, counts=counts, ceil=ceil)


@_on_images
def global_average_pool(node: Node, data: Data, lift: bool) -> Data:
    return _convolutions.global_pool(data, node)


@_on_images
def global_max_pool(node: Node, data: Data, lift: bool) -> Data:
    return _convolutions.global_pool(data, node, largest=True)


def pad(node: Node) -> Data:
    """Around any dimension but the batch; attributes before opset 11.

    A number around height and width is taken over by the window behind it.
    """
    data = node.data(0)
    if node.opset < 11:
        pads, value = node.attributes.get("pads", ()), node.attributes.get("value", 0.0)
    else:
        pads, value = node.integers("pads", 1, since=11), node.number(2)
    mode, axes = node.attributes.get("mode", "constant"), node.integers("axes", 3, since=18)
    if mode not in MODES:
        raise node.fail(f"have a mode of {', '.join(MODES)}, got {mode!r:.40}")
    axes = list(range(data.rank)) if axes is None else [axis % data.rank for axis in axes]
    if pads is None or len(pads) != 2 * len(axes) or len(set(axes)) < len(axes):
        raise node.bad(f"have two pads for each of its axes, got {pads} for {axes}")
    given = dict(zip(axes, zip(pads, pads[len(axes) :], strict=False), strict=True))
    return _convolutions.padded(data, given, mode, value or 0.0, node)


WINDOW_OPS = {
    "Pad": pad,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
}
