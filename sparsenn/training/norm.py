"""Batch normalisation as it trains: by the mean and the variance of the batch.

The sums and what follows from them value by value are the core's (src_c/train/channels.c). Samples that fill
up the last tile count nowhere, and get nothing back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import _core
from ..layers import Activation, BatchNorm
from .parameters import Parameter
from .places import Place
from .tiles import Buffer, Layout


@dataclass
class Pass:
    """What a forward pass is for: samples of the batch, and whether its statistics are to be used."""

    samples: int = 0
    training: bool = False


class NormStep:
    """y = f(scale (x - mean) / sqrt(variance + epsilon) + shift), f an activation that alone reads it.

    A batch of one value a channel says nothing of their variance: it goes by the running statistics.
    """

    def __init__(
        self,
        index: int,
        layer: BatchNorm,
        follower: Activation | None,
        source: Place,
        result: Place,
        layout: Layout,
        current: Pass,
    ):
        """index: of the layer's node, for names."""
        self.index, self.layer, self.source, self.result = index, layer, source, result
        self._layout, self._pass, self._arrays = layout, current, layer.arrays
        dims = source.dims
        place = source.order.index(0)
        stored = [dims[axis] for axis in source.order]
        self._shape = math.prod(stored[:place]), layer.channels, math.prod(stored[place + 1 :])
        self.parameters = [
            Parameter(f"{index}.scale", layer.scale, False),
            Parameter(f"{index}.shift", layer.shift, False),
        ]
        self.activation = follower
        self._fused = None if follower is None else _core.Activation(follower.op, *follower.attribute_values)
        self._z = Buffer(result.features, layout) if follower is not None and follower.reads_input else None
        result.fused = self._fused
        self._moments: tuple[np.ndarray, np.ndarray] | None = None

    def check_unchanged(self) -> None:
        if any(a is not b for a, b in zip(self.layer.arrays, self._arrays, strict=True)):
            raise RuntimeError(
                f"model.layers[{self.index}] was given another array after the Trainer was made: "
                "make a new Trainer"
            )

    @property
    def _count(self) -> int:
        """Values a channel."""
        return self._pass.samples * self._shape[0] * self._shape[2]

    def forward(self) -> None:
        x, result, layer = self.source.value, self.result, self.layer
        y = result.new_value(len(x), x.shape[2])
        result.z = None if self._z is None else self._z.take(len(x), x.shape[2])
        self._moments = None
        factor, shift = layer.factors()
        if self._pass.training and self._count > 1:
            sums, squares = _core.channels_sum(self._shape, self._pass.samples, x, x, self._layout.threads)
            mean = sums / self._count
            variance = np.maximum(squares / self._count - mean * mean, 0.0)
            self._moments = mean, variance
            factor = layer.scale / np.sqrt(variance + layer.epsilon)
            shift = layer.shift - mean * factor
        self._combine(factor, x, None, None, shift, y, self._fused, result.z)

    def backward(self) -> None:
        source, result, layer = self.source, self.result, self.layer
        if self.activation is not None and not result.sloped:
            result.slope_back(self.activation)
        x, dy = source.value, result.slope
        sums, products = _core.channels_sum(self._shape, self._pass.samples, dy, x, self._layout.threads)
        mean, variance = (layer.mean, layer.variance) if self._moments is None else self._moments
        inverse = 1.0 / np.sqrt(variance.astype(np.float64) + layer.epsilon)
        of_scale = (products - mean * sums) * inverse
        self.parameters[0].gradient[:] = of_scale
        self.parameters[1].gradient[:] = sums
        if not source.wanted:
            return
        factor = layer.scale * inverse
        along = np.zeros_like(factor)
        rest = np.zeros_like(factor)
        if self._moments is not None:
            along = -factor * inverse * of_scale / self._count
            rest = -factor * sums / self._count - along * mean
        dx = source.begin()
        self._combine(factor, dy, along, x, rest, dx, None, None)
        source.add(dx)

    def _combine(self, p, a, q, b, r, y, activation, z) -> None:
        """y = activation(p a + q b + r), p, q and r for each channel."""
        p, q, r = (None if part is None else part.astype(np.float32) for part in (p, q, r))
        threads, isa = self._layout.threads, self._layout.isa
        _core.channels_combine(
            self._shape, self._pass.samples, p, a, q, b, r, activation, z, y, threads=threads, isa=isa
        )

    def move_statistics(self) -> None:
        """Moves the running statistics towards those of the batch; the variance there is the unbiased one."""
        if self._moments is None:
            return
        mean, variance = self._moments
        share, unbiased = self.layer.momentum, variance * (self._count / (self._count - 1))
        for running, of_batch in ((self.layer.mean, mean), (self.layer.variance, unbiased)):
            running += np.float32(share) * (of_batch.astype(np.float32) - running)
