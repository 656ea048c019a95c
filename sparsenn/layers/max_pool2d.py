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
    padding                         a number, (height, width) or (top, left, bottom, right); counts as -inf

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
        return cls(window.kernel, window.stride, window.padding, window.dilation)

    def infer(self, dims: Dims) -> Dims:
        made = self.window.infer("MaxPool2d", dims)
        for axis, size in enumerate(dims[2:]):
            if not _all_hold(self.window, axis, size, made[2 + axis]):
                raise ArgumentError(
                    f"padding of MaxPool2d must leave a value in every window, got {self.window.padding} "
                    f"beside a kernel of {self.window.kernel} on {dims}"
                )
        return made

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.stack(self.window.places(self.window.padded(z, -np.inf))).max(axis=0)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """The largest bound of a window."""
        return np.stack(self.window.places(self.window.padded(bound))).max(axis=0)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """da at the first place that holds the largest value."""
        first = np.stack(self.window.places(self.window.padded(z, -np.inf))).argmax(axis=0)
        padded = self.window.padded(np.zeros_like(z))
        for place, part in enumerate(self.window.places(padded)):
            part += np.where(first == place, da, 0)
        return self.window.cropped(padded)

    def torch_value(self, torch, x):
        window = self.window
        top, left, bottom, right = window.padding
        x = (
            torch.nn.functional.pad(x, (left, right, top, bottom), value=-float("inf"))
            if any(window.padding)
            else x
        )
        return torch.nn.functional.max_pool2d(x, window.kernel, window.stride, dilation=window.dilation)

    def to_onnx(self, graph, x: str) -> str:
        window = self.window
        return graph.node(
            "MaxPool",
            x,
            kernel_shape=window.kernel,
            strides=window.stride,
            pads=window.padding,
            dilations=window.dilation,
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
