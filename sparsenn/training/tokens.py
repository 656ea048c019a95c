"""Normalisation along features and rows of tables as they train: src_c/train/axis_norm.c and embedding.c."""

from __future__ import annotations

import math

from .. import _core
from ..layers import Embedding, Layer
from ..layers.axis_norm import AxisNorm
from .norm import Pass
from .parameters import Parameter
from .places import Place
from .tiles import Layout


class _ArraysStep:
    """What steps share whose layer has arrays of its own that are trained."""

    def __init__(self, index: int, layer: Layer, source: Place, result: Place, layout: Layout, current: Pass):
        """index: of the layer's node, for names."""
        self.index, self.layer, self.source, self.result = index, layer, source, result
        self._pass, self._arrays = current, layer.arrays
        self._options = {"threads": layout.threads, "isa": layout.isa}
        self.parameters = [Parameter(f"{index}.{name}", getattr(layer, name), False) for name in layer.moved]

    def check_unchanged(self) -> None:
        if any(a is not b for a, b in zip(self.layer.arrays, self._arrays, strict=True)):
            raise RuntimeError(
                f"model.layers[{self.index}] was given another array after the Trainer was made: "
                "make a new Trainer"
            )


class AxisNormStep(_ArraysStep):
    """LayerNorm and RMSNorm. Features lie as (outer, channels, inner), the channels along the axis."""

    layer: AxisNorm

    def __init__(self, index, layer, source, result, layout, current):
        super().__init__(index, layer, source, result, layout, current)
        place = source.order.index(layer.axis - 1)
        stored = [source.dims[axis] for axis in source.order]
        self._shape = math.prod(stored[:place]), stored[place], math.prod(stored[place + 1 :])

    def forward(self) -> None:
        x, layer = self.source.value, self.layer
        y = self.result.new_value(len(x), x.shape[2])
        given = self._shape, self._pass.samples, layer.epsilon, layer.scale, layer.shift
        _core.norm_forward(*given, x, y, **self._options)

    def backward(self) -> None:
        layer, slopes = self.layer, [parameter.gradient for parameter in self.parameters]
        dx = self.source.begin() if self.source.wanted else None
        given = self._shape, self._pass.samples, layer.epsilon, layer.scale, layer.shift
        of_shift = slopes[1] if len(slopes) > 1 else None
        _core.norm_backward(
            *given, self.source.value, self.result.slope, dx, slopes[0], of_shift, **self._options
        )
        if dx is not None:
            self.source.add(dx)


class EmbeddingStep(_ArraysStep):
    """Rows of a table. ArgumentError forward where a number is no row of it."""

    layer: Embedding

    def forward(self) -> None:
        ids, samples = self.source.value, self._pass.samples
        y = self.result.new_value(len(ids), ids.shape[2])
        _core.embedding_forward(self.source.features, samples, self.layer.table, ids, y, **self._options)

    def backward(self) -> None:
        given = self.source.features, self._pass.samples, self.source.value, self.result.slope
        _core.embedding_backward(*given, self.parameters[0].gradient, **self._options)
        if self.source.wanted:  # numbers of rows have no slope
            dx = self.source.begin()
            dx[:] = 0
            self.source.add(dx)
