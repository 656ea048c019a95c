"""Limits of a model: how deep, how wide, how large its weights."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

import numpy as np

from .checks import as_float, check_integer
from .errors import ArgumentError


def check_range(name: str, value) -> tuple[float, float] | None:
    """value as (low, high), both finite, low < high; None stays."""
    if value is None:
        return None
    pair = isinstance(value, (tuple, list)) and len(value) == 2
    if not pair or not all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in value):
        raise TypeError(f"{name} must be a pair of numbers (low, high), got {value!r}")
    low, high = as_float(value[0]), as_float(value[1])
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ArgumentError(f"{name} must be finite with low below high, got ({low:g}, {high:g})")
    return low, high


@dataclass(frozen=True)
class Limits:
    """What a model must keep within; None: no limit.

    max_depth     linear layers
    max_width     features of the input and of every linear layer's output
    weight_range  (low, high) of every weight and bias; training keeps within it
    """

    max_depth: int | None = None
    max_width: int | None = None
    weight_range: tuple[float, float] | None = None

    def __post_init__(self):
        for name in ("max_depth", "max_width"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), minimum=1)
        check_range("weight_range", self.weight_range)

    def check_sizes(self, sizes: list[int]) -> None:
        """sizes: features of the input and of every linear layer's output. Raises ArgumentError."""
        depth, width = len(sizes) - 1, max(sizes)
        if self.max_depth is not None and depth > self.max_depth:
            raise ArgumentError(
                f"model must have at most max_depth={self.max_depth} linear layers, got {depth}"
            )
        if self.max_width is not None and width > self.max_width:
            raise ArgumentError(
                f"model must be at most max_width={self.max_width} features wide, got {width}"
            )

    def check(self, model) -> None:
        """Raises ArgumentError, with what exceeds what, unless model keeps within the limits."""
        layers = model.linear_layers
        self.check_sizes([model.inputs, *(layer.shape[0] for layer in layers)])
        if self.weight_range is None:
            return
        low, high = np.float32(self.weight_range[0]), np.float32(self.weight_range[1])
        for index, layer in enumerate(layers):
            weight = layer.weight.data if layer.sparse else layer.weight
            for name, values in (("weight", weight), ("bias", layer.bias)):
                if values is None or not values.size:
                    continue
                if not (values.min() >= low and values.max() <= high):
                    raise ArgumentError(
                        f"{name} of linear layer {index} must be in [{low:g}, {high:g}], "
                        f"got {values.min():g} to {values.max():g}"
                    )
