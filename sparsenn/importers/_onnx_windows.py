"""The ONNX operators that move a window over (batch, channels, height, width)."""

from __future__ import annotations

from . import _convolutions
from ._data import Data
from ._moves import squeezed
from ._onnx_values import Node


def _window(node: Node, data: Data, kernel: tuple[int, ...], *, strides: tuple[int, ...] = (1, 1)):
    """The window of a node: two spatial dimensions, padding as it is given or as auto_pad asks."""
    if data.rank != 4 or len(kernel) != 2:
        raise node.fail(
            f"take (batch, channels, height, width), got {data} and a kernel of {len(kernel)} sizes"
        )
    if None in data.sizes:
        raise node.unknown(data)
    strides = node.attributes.get("strides", strides)
    dilations = node.attributes.get("dilations", (1, 1))
    auto = node.attributes.get("auto_pad", "NOTSET")
    padding = node.attributes.get("pads", (0, 0, 0, 0))
    if auto == "VALID":
        padding = (0, 0, 0, 0)
    elif auto in ("SAME_UPPER", "SAME_LOWER") and len(strides) == len(dilations) == 2 and min(strides) > 0:
        before, behind = [], []
        for size, k, stride, dilation in zip(data.sizes[1:], kernel, strides, dilations, strict=True):
            more = max(0, (-(-size // stride) - 1) * stride + dilation * (k - 1) + 1 - size)
            before.append(more // 2 if auto == "SAME_UPPER" else more - more // 2)
            behind.append(more - before[-1])
        padding = (*before, *behind)
    elif auto != "NOTSET":
        raise node.fail(f"have auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER, got {auto!r:.40}")
    if len(padding) != 4:
        raise node.bad(f"have four pads, got {len(padding)}")
    return _convolutions.window_of(node, kernel, strides, padding, dilations)


def conv(node: Node) -> Data:
    data, weight = node.data(0), node.constant(1)
    if weight.ndim != 4:
        raise node.fail(f"have a weight of four dimensions, got shape {weight.shape}")
    kernel = node.attributes.get("kernel_shape", tuple(weight.shape[2:]))
    groups = node.attributes.get("group", 1)
    bias = node.constant(2, optional=True)
    return _convolutions.convolution(data, weight, bias, _window(node, data, kernel), groups, node)


def max_pool(node: Node) -> Data:
    data = node.data()
    if any(node.used[1:]):
        raise node.fail("return no indices")
    window = _window(node, data, node.attributes.get("kernel_shape", ()))
    return _convolutions.max_pool(data, window, node, ceil=bool(node.attributes.get("ceil_mode", 0)))


def average_pool(node: Node) -> Data:
    data = node.data()
    window = _window(node, data, node.attributes.get("kernel_shape", ()))
    if window.dilation != (1, 1):
        raise node.fail("have no dilation")
    counts, ceil = (bool(node.attributes.get(name, 0)) for name in ("count_include_pad", "ceil_mode"))
    return _convolutions.avg_pool(data, window, node, counts=counts, ceil=ceil)


def global_average_pool(node: Node) -> Data:
    return _convolutions.global_pool(node.data(), node)


def global_max_pool(node: Node) -> Data:
    return _convolutions.global_pool(node.data(), node, largest=True)


def reduce_mean(node: Node) -> Data:
    """Over height and width."""
    data, axes = node.data(), node.integers("axes", 1, since=18)
    if data.rank != 4 or axes is None or sorted(axis % 4 for axis in axes) != [2, 3]:
        raise node.fail(
            f"be over height and width of (batch, channels, height, width), got axes {axes} of {data}"
        )
    pooled = _convolutions.global_pool(data, node)
    return pooled if node.attributes.get("keepdims", 1) else squeezed(pooled, [2, 3], node)


WINDOW_OPS = {
    "Conv": conv,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "ReduceMean": reduce_mean,
}
