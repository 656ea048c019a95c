"""The largest value of a window."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import ArgumentError
from ..graph.value import Dims
from .pool import Pool
from .reduce_max import ReduceMax
from .window import INTEGERS, Window


@dataclass(frozen=True, init=False, repr=False)
class MaxPool2d(Pool):
    """The largest value of each channel in a window over (batch, channels, height, width).

    kernel_size, stride, dilation   a number or (height, width); stride None: the kernel's
    padding                         a number, (height, width) or (top, left, bottom, right); counts as -inf;
                                    or "same_upper", "same_lower", as of Conv2d

    Every window must hold a value of the operand. A NaN in it makes NaN.
    """

    window: Window = field()

    over_all = ReduceMax((2, 3))
    op, integers = "max_pool2d", INTEGERS

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1):
        window = Window.of(
            kernel_size, stride=kernel_size if stride is None else stride, padding=padding, dilation=dilation
        )
        object.__setattr__(self, "window", window)

    @property
    def integer_values(self) -> dict[str, int]:
        return self.window.numbers

    @classmethod
    def of_integers(cls, **numbers: int) -> MaxPool2d:
        window = Window(**numbers)
        return cls(window.kernel, window.stride, window.given_padding, window.dilation)

    def infer(self, dims: Dims) -> Dims:
        made = self.window.infer("MaxPool2d", dims)
        if self.window.rule and None in dims[2:]:
            return made
        window = self.window.on(*dims[2:])
        for axis, size in enumerate(dims[2:]):
            if not _all_hold(window, axis, size, made[2 + axis]):
                raise ArgumentError(
                    f"padding of MaxPool2d must leave a value in every window, got {window.padding} "
                    f"beside a kernel of {window.kernel} on {dims}"
                )
        return made

    def _places(self, z: np.ndarray, fill: float) -> np.ndarray:
        """What each place of the window meets, (places, channels, out height, out width, batch)."""
        window = self.window.on(*z.shape[1:3])
        return np.stack(window.places(window.padded(z, fill)))

    def value(self, z: np.ndarray) -> np.ndarray:
        return self._places(z, -np.inf).max(axis=0)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """The largest bound of a window."""
        return self._places(bound, 0.0).max(axis=0)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da at the first place that holds the largest value."""
        first = self._places(z, -np.inf).argmax(axis=0)
        window = self.window.on(*z.shape[1:3])
        padded = window.padded(np.zeros_like(z))
        for place, part in enumerate(window.places(padded)):
            part += np.where(first == place, da, 0)
        return window.cropped(padded)

    def torch_value(self, torch, x):
        window = self.window
        if any(window.padding):
            x = torch.nn.functional.pad(x, window.torch_pads(x), value=-float("inf"))
        return torch.nn.functional.max_pool2d(x, window.kernel, window.stride, dilation=window.dilation)

    def to_onnx(self, graph, x: str) -> str:
        window = self.window
        return graph.node(
            "MaxPool",
            x,
            kernel_shape=window.kernel,
            strides=window.stride,
            dilations=window.dilation,
            **window.onnx_pads(),
        )

    def __repr__(self) -> str:
        return f"MaxPool2d({self.window})"


def _all_hold(window: Window, axis: int, size: int | None, made: int | None) -> bool:
    """Whether each window along an axis holds a place of the operand."""
    stride, kernel, dilation = window.stride[axis], window.kernel[axis], window.dilation[axis]
    start = -window.padding[axis]
    if size is not None and start + (made - 1) * stride >= size:
        return False
    count = -(start // stride) if made is None else min(made, -(start // stride))
    for at in range(start, start + count * stride, stride):
        step = max(0, -(at // dilation))
        if step >= kernel or (size is not None and at + step * dilation >= size):
            return False
    return True
