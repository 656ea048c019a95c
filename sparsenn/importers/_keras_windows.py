"""Layers of Keras that work on images: convolutions, pools, padding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layers import Resize
from ..layers.window import Window
from ._convolutions import avg_pool, convolution, global_pool, max_pool, pad, window_of
from ._data import At, Data
from ._keras_tensor import Tensor, image_tensor
from ._moves import squeezed
from ._resized import resized_as


def windows(keras) -> dict[type, Callable]:
    """Functions (layer, tensor, arrays, at) -> Tensor by the class of a layer; arrays reads a variable."""
    layers = keras.layers
    return {
        layers.Conv2D: _conv,
        layers.DepthwiseConv2D: _depthwise,
        layers.SeparableConv2D: _separable,
        layers.MaxPooling2D: _max_pool,
        layers.AveragePooling2D: _avg_pool,
        layers.GlobalMaxPooling2D: lambda *given: _global(*given, largest=True),
        layers.GlobalAveragePooling2D: lambda *given: _global(*given, largest=False),
        layers.ZeroPadding2D: _padding,
        layers.UpSampling2D: _enlarged,
    }


def _window(layer, kernel, at: At, dilation=(1, 1)) -> Window:
    """The window of a layer, with the padding that "same" stands for."""
    stride = layer.strides
    if layer.padding == "valid":
        return window_of(at, kernel, stride, 0, dilation)
    if layer.padding != "same":
        raise at.fail(f"have the padding 'valid' or 'same', got {layer.padding!r}")
    return window_of(at, kernel, stride, "same_upper", dilation)


def _enlarged(layer, tensor: Tensor, arrays: Callable, at: At) -> Tensor:
    modes = {"nearest": "nearest", "bilinear": "linear"}
    if layer.interpolation not in modes:
        raise at.fail(f"have the interpolation 'nearest' or 'bilinear', got {layer.interpolation!r}")
    data, how = tensor.channels_first(layer.data_format, at), {"mode": modes[layer.interpolation]}
    for axis in (3, 2):
        data = resized_as(data, axis, Resize(1, scale=float(layer.size[axis - 2]), **how), at)
    return image_tensor(data, layer.data_format)


def _bias(layer, arrays: Callable) -> np.ndarray | None:
    return None if layer.bias is None else arrays(layer.bias)


def _conv(layer, tensor: Tensor, arrays: Callable, at: At) -> Tensor:
    data = tensor.channels_first(layer.data_format, at)
    weight = arrays(layer.kernel).transpose(3, 2, 0, 1)  # from (height, width, channels / groups, out)
    window = _window(layer, weight.shape[2:], at, layer.dilation_rate)
    made = convolution(data, weight, _bias(layer, arrays), window, layer.groups, at)
    return image_tensor(made, layer.data_format)


def _deep(layer, kernel: np.ndarray, bias, data: Data, at: At) -> Data:
    """Every channel through filters of its own; kernel (height, width, channels, filters of each)."""
    height, width, channels, filters = kernel.shape
    weight = kernel.transpose(2, 3, 0, 1).reshape(channels * filters, 1, height, width)
    window = _window(layer, (height, width), at, layer.dilation_rate)
    return convolution(data, weight, bias, window, channels, at)


def _depthwise(layer, tensor: Tensor, arrays: Callable, at: At) -> Tensor:
    data = tensor.channels_first(layer.data_format, at)
    return image_tensor(_deep(layer, arrays(layer.kernel), _bias(layer, arrays), data, at), layer.data_format)


def _separable(layer, tensor: Tensor, arrays: Callable, at: At) -> Tensor:
    data = tensor.channels_first(layer.data_format, at)
    deep = _deep(layer, arrays(layer.depthwise_kernel), None, data, at)
    weight = arrays(layer.pointwise_kernel).transpose(3, 2, 0, 1)
    made = convolution(deep, weight, _bias(layer, arrays), window_of(at, 1, 1, 0), 1, at)
    return image_tensor(made, layer.data_format)


def _max_pool(layer, tensor: Tensor, arrays: Callable, at: At) -> Tensor:
    data = tensor.channels_first(layer.data_format, at)
    return image_tensor(max_pool(data, _window(layer, layer.pool_size, at), at), layer.data_format)


def _avg_pool(layer, tensor: Tensor, arrays: Callable, at: At) -> Tensor:
    """Padding does not count."""
    data = tensor.channels_first(layer.data_format, at)
    window = _window(layer, layer.pool_size, at)
    return image_tensor(avg_pool(data, window, at, counts=False), layer.data_format)


def _global(layer, tensor: Tensor, arrays: Callable, at: At, *, largest: bool) -> Tensor:
    made = global_pool(tensor.channels_first(layer.data_format, at), at, largest=largest)
    return image_tensor(made if layer.keepdims else squeezed(made, (2, 3), at), layer.data_format)


def _padding(layer, tensor: Tensor, arrays: Callable, at: At) -> Tensor:
    (top, bottom), (left, right) = layer.padding
    data = tensor.channels_first(layer.data_format, at)
    return image_tensor(pad(data, (top, left, bottom, right), 0.0, at), layer.data_format)
