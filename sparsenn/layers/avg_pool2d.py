"""The mean of a window."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import ArgumentError
from ..graph.value import Dims
from .layer import EPS, TINY
from .pool import Pool
from .reduce_mean import ReduceMean
from .window import INTEGERS, Window


@dataclass(frozen=True, init=False, repr=False)
class AvgPool2d(Pool):
    """The mean of each channel in a window over (batch, channels, height, width).

    kernel_size, stride   a number or (height, width); stride None: the kernel's
    padding               a number, (height, width) or (top, left, bottom, right), below the kernel's size;
                          or "same_upper", "same_lower", as of Conv2d
    count_include_pad     whether padding counts as zeros, or not at all
    """

    window: Window = field()
    count_include_pad: bool = True

    over_all = ReduceMean((2, 3))
    op, integers = "avg_pool2d", (*INTEGERS[:8], "count_include_pad")

    def __init__(self, kernel_size, stride=None, padding=0, count_include_pad=True):
        window = Window.of(kernel_size, stride=kernel_size if stride is None else stride, padding=padding)
        for axis, (name, size) in enumerate(zip(("height", "width"), window.kernel, strict=True)):
            if max(window.padding[axis], window.padding[axis + 2]) >= size:
                raise ArgumentError(f"padding must be below the kernel's {name} {size}, got {window.padding}")
        object.__setattr__(self, "window", window)
        object.__setattr__(self, "count_include_pad", bool(count_include_pad))

    @property
    def integer_values(self) -> dict[str, int]:
        numbers = self.window.numbers
        return {name: numbers[name] for name in INTEGERS[:8]} | {
            "count_include_pad": int(self.count_include_pad)
        }

    @classmethod
    def of_integers(cls, count_include_pad: int, **numbers: int) -> AvgPool2d:
        window = Window(**numbers)
        return cls(window.kernel, window.stride, window.given_padding, bool(count_include_pad))

    def infer(self, dims: Dims) -> Dims:
        return self.window.infer("AvgPool2d", dims)

    @property
    def keeps_constants(self) -> bool:
        return not (self.count_include_pad and any(self.window.padding))

    def _sum(self, z: np.ndarray) -> np.ndarray:
        window = self.window.on(*z.shape[1:3])
        return np.stack(window.places(window.padded(z))).sum(axis=0)

    def _counts(self, z: np.ndarray) -> np.ndarray | float:
        """How many values each window has."""
        if self.count_include_pad:
            return float(self.window.kernel_h * self.window.kernel_w)
        return self._sum(np.ones((1, *z.shape[1:3], 1), z.dtype))

    def value(self, z: np.ndarray) -> np.ndarray:
        return self._sum(z) / np.asarray(self._counts(z), z.dtype)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """A sum of k values rounds by at most k eps of their sizes, the quotient by one more."""
        terms = self.window.kernel_h * self.window.kernel_w + 1
        return (self._sum(bound) + terms * EPS * self._sum(abs(z) + bound)) / self._counts(z) + TINY

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        window = self.window.on(*z.shape[1:3])
        padded = window.padded(np.zeros_like(z))
        for part in window.places(padded):
            part += da / np.asarray(self._counts(z), da.dtype)
        return window.cropped(padded)

    def torch_value(self, torch, x):
        """By sums of windows, where padding does not count or differs from side to side."""
        functional, window = torch.nn.functional, self.window
        top, left, bottom, right = window.padding
        even = window.rule is None and (top, left) == (bottom, right)
        if even and 2 * top <= window.kernel_h and 2 * left <= window.kernel_w:
            return functional.avg_pool2d(
                x, window.kernel, window.stride, (top, left), count_include_pad=self.count_include_pad
            )
        pads = window.torch_pads(x)
        padded = functional.pad(x, pads)
        mean = functional.avg_pool2d(padded, window.kernel, window.stride)
        if self.count_include_pad:
            return mean
        ones = functional.pad(torch.ones_like(x), pads)
        return mean / functional.avg_pool2d(ones, window.kernel, window.stride)

    def to_onnx(self, graph, x: str) -> str:
        window = self.window
        return graph.node(
            "AveragePool",
            x,
            kernel_shape=window.kernel,
            strides=window.stride,
            count_include_pad=int(self.count_include_pad),
            **window.onnx_pads(),
        )

    def __repr__(self) -> str:
        return f"AvgPool2d({self.window}{'' if self.count_include_pad else ', count_include_pad=False'})"
