"""A window that moves over (channels, height, width): what convolution and pooling share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ..checks import check_integer
from ..errors import ArgumentError
from ..graph.value import Dims

INTEGERS = (
    *("kernel_h", "kernel_w", "stride_h", "stride_w", "pad_top", "pad_left", "pad_bottom", "pad_right"),
    *("dilation_h", "dilation_w"),
)
LARGEST = 1 << 20
# In place of the four pads: as many as make ceil(size / stride) places, the odd one behind or in front.
RULES = {"same_upper": -1, "same_lower": -2}


def pair(name: str, value, *, minimum: int = 1) -> tuple[int, int]:
    """(height, width) of a number, or of two."""
    values = tuple(value) if isinstance(value, (Sequence, np.ndarray)) else (value, value)
    if len(values) != 2:
        raise ArgumentError(f"{name} must be a number or (height, width), got {value!r}")
    return tuple(check_integer(name, v, minimum=minimum, maximum=LARGEST) for v in values)


def pads(value) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of a number, of (height, width), or of four; or of a rule."""
    if isinstance(value, str):
        if value not in RULES:
            raise ArgumentError(f"padding must be numbers or one of {', '.join(RULES)}, got {value!r}")
        return (RULES[value],) * 4
    if isinstance(value, (Sequence, np.ndarray)) and len(value) == 4:
        return tuple(check_integer("padding", v, minimum=0, maximum=LARGEST) for v in value)
    if isinstance(value, (Sequence, np.ndarray)) and len(value) != 2:
        raise ArgumentError(
            f"padding must be a number, (height, width) or (top, left, bottom, right), got {value!r}"
        )
    return pair("padding", value, minimum=0) * 2


@dataclass(frozen=True)
class Window:
    """Its places, how far it moves, what is around x, and how far its places are apart; whole numbers.

    The four pads may be a rule's number: then they follow from the size of x, see RULES.
    """

    kernel_h: int
    kernel_w: int
    stride_h: int = 1
    stride_w: int = 1
    pad_top: int = 0
    pad_left: int = 0
    pad_bottom: int = 0
    pad_right: int = 0
    dilation_h: int = 1
    dilation_w: int = 1

    @classmethod
    def of(cls, kernel_size, *, stride=1, padding=0, dilation=1) -> Window:
        made = cls(
            *pair("kernel_size", kernel_size),
            *pair("stride", stride),
            *pads(padding),
            *pair("dilation", dilation),
        )
        return made.on(1, 1) if made.stride == (1, 1) else made  # then it is the same for any size

    def __repr__(self) -> str:
        """3x3, stride=(2, 2): what is not plain."""
        named = (
            ("stride", self.stride, (1, 1)),
            ("padding", self.given_padding, (0,) * 4),
            ("dilation", self.dilation, (1, 1)),
        )
        more = "".join(f", {name}={value}" for name, value, plain in named if value != plain)
        return f"{self.kernel_h}x{self.kernel_w}{more}"

    @property
    def numbers(self) -> dict[str, int]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def kernel(self) -> tuple[int, int]:
        return self.kernel_h, self.kernel_w

    @property
    def stride(self) -> tuple[int, int]:
        return self.stride_h, self.stride_w

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right)."""
        return self.pad_top, self.pad_left, self.pad_bottom, self.pad_right

    @property
    def rule(self) -> str | None:
        """The rule that the pads follow; None where they are numbers."""
        return next((name for name, number in RULES.items() if self.pad_top == number), None)

    @property
    def given_padding(self) -> str | tuple[int, int, int, int]:
        """What of() takes as the padding."""
        return self.rule or self.padding

    @property
    def dilation(self) -> tuple[int, int]:
        return self.dilation_h, self.dilation_w

    def on(self, height: int, width: int) -> Window:
        """The window with numbers for pads, for x of that size."""
        if self.rule is None:
            return self
        top, bottom = self._sides(0, height)
        left, right = self._sides(1, width)
        return replace(self, pad_top=top, pad_left=left, pad_bottom=bottom, pad_right=right)

    def _sides(self, axis: int, size, most=max) -> tuple:
        """Pads before and behind an axis of that size, by the rule; most: what takes the larger of two."""
        room = -(-size // self.stride[axis]) * self.stride[axis] - self.stride[axis]
        more = most(room + self.dilation[axis] * (self.kernel[axis] - 1) + 1 - size, 0)
        half = more // 2
        return (half, more - half) if self.rule == "same_upper" else (more - half, half)

    def torch_pads(self, x) -> tuple:
        """(left, right, top, bottom) around a torch tensor, or around what stands for one in a graph."""
        if self.rule is None:
            return self.pad_left, self.pad_right, self.pad_top, self.pad_bottom
        down, right = (self._sides(axis, x.shape[2 + axis], _larger) for axis in (0, 1))
        return *right, *down

    def onnx_pads(self) -> dict:
        """The attributes of an ONNX node that say it."""
        return {"pads": self.padding} if self.rule is None else {"auto_pad": self.rule.upper()}

    def infer(self, layer: str, dims: Dims, channels: int | None = None) -> Dims:
        """(batch, channels, height, width) of the places; channels: how many come out, None: as go in."""
        if len(dims) != 4 or dims[1] is None:
            raise ArgumentError(
                f"operand of {layer} must have dims (None, channels, height, width), got {dims}"
            )
        sizes = []
        for axis, (name, size) in enumerate(zip(("height", "width"), dims[2:], strict=True)):
            reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            if size is None:
                sizes.append(None)
                continue
            if self.rule:
                sizes.append(-(-size // self.stride[axis]))
                continue
            room = size + self.padding[axis] + self.padding[axis + 2] - reach
            if room < 0:
                raise ArgumentError(
                    f"kernel_size of {layer} must fit into the {name} {size} with its padding, got a window "
                    f"of {reach}"
                )
            sizes.append(room // self.stride[axis] + 1)
        return dims[0], dims[1] if channels is None else channels, *sizes

    def padded(self, z: np.ndarray, value: float = 0.0) -> np.ndarray:
        """z (channels, height, width, batch) with its padding."""
        return np.pad(
            z,
            ((0, 0), (self.pad_top, self.pad_bottom), (self.pad_left, self.pad_right), (0, 0)),
            constant_values=value,
        )

    def places(self, padded: np.ndarray) -> list[np.ndarray]:
        """For each place of the window, row by row, what it meets: views (channels, out h, out w, batch)."""
        axes = [self._slices(axis, padded.shape[1 + axis]) for axis in (0, 1)]
        return [padded[:, rows, columns] for rows in axes[0] for columns in axes[1]]

    def _slices(self, axis: int, size: int) -> list[slice]:
        """For each place of the window along an axis of the padded size, what it meets."""
        stride, dilation, kernel = self.stride[axis], self.dilation[axis], self.kernel[axis]
        count = (size - dilation * (kernel - 1) - 1) // stride + 1
        return [
            slice(at * dilation, at * dilation + (count - 1) * stride + 1, stride) for at in range(kernel)
        ]

    def cropped(self, padded: np.ndarray) -> np.ndarray:
        """Without the padding."""
        bottom, right = padded.shape[1] - self.pad_bottom, padded.shape[2] - self.pad_right
        return padded[:, self.pad_top : bottom, self.pad_left : right]


def _larger(a, b):
    """Of two whole numbers, one of which may be what stands for one in a graph of torch.fx."""
    tracer = getattr(a, "tracer", None)
    return max(a, b) if tracer is None else tracer.create_proxy("call_function", max, (a, b), {})
