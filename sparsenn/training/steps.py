"""The steps of a network: each computes the value at one place, and hands back the gradient.

A step knows its places and nothing of other steps. Weights are updated in place, so the model always holds
the present values. A sparse layer is only ever its stored values: weight, gradient and optimizer state have
nnz elements.
"""

from __future__ import annotations

import numpy as np

from .. import _core
from ..layers import Activation, AvgPool2d, Layer, Linear, Matrix, MaxPool2d
from .operators import dense_gradient, make_operator
from .parameters import Parameter
from .places import Place
from .tiles import Buffer, Layout


class LinearStep:
    """What layers with a weight share: the parameters, and the check that they are still the model's."""

    def __init__(self, index: int, layer: Matrix, source: Place, result: Place, operator=None):
        """index: of the layer's node, for names."""
        self.index, self.layer, self.weight, self.bias = index, layer, layer.weight, layer.bias
        self.source, self.result = source, result
        self.outputs, self.inputs = layer.shape
        if layer.sparse:
            rows = np.ascontiguousarray(self.weight.indptr, np.int64)
        else:
            rows = np.arange(self.outputs + 1, dtype=np.int64) * self.inputs
        self.weight_parameter = Parameter(f"{index}.weight", self._stored(), True, rows, operator)
        self.parameters = [self.weight_parameter]
        self.bias_parameter = None
        if self.bias is not None:
            self.bias_parameter = Parameter(f"{index}.bias", self.bias, False)
            self.parameters.append(self.bias_parameter)

    def _stored(self) -> np.ndarray:
        return self.layer.weight.data if self.layer.sparse else self.layer.weight

    def check_unchanged(self) -> None:
        same = self.layer.weight is self.weight and self.layer.bias is self.bias
        if not (same and self._stored() is self.weight_parameter.values):
            raise RuntimeError(
                f"model.layers[{self.index}] was given another weight or bias after the Trainer was made: "
                "make a new Trainer"
            )


class BlasStep(LinearStep):
    """y = W x + b of a dense layer through BLAS."""

    def __init__(self, index: int, layer: Linear, source: Place, result: Place):
        super().__init__(index, layer, source, result)
        self._part, self._used = None, self.weight

    def use(self, values: np.ndarray | None) -> None:
        """Other weights (size,) for the time being; None: the layer's own."""
        self._used = self.weight if values is None else values.reshape(self.layer.shape)

    def forward(self) -> None:
        x = self.source.value
        values = self.result.new_value(len(x), x.shape[2])[:, : self.outputs]
        np.matmul(self._used, x[:, : self.inputs], out=values)  # (out, in) @ (tiles, in, samples)
        if self.bias is not None:
            values += self.bias[:, np.newaxis]

    def backward(self) -> None:
        dy, x = self.result.slope[:, : self.outputs], self.source.rows
        gradient = self.weight_parameter.gradient
        np.matmul(dy[0], x[0].T, out=gradient)
        if len(dy) > 1 and self._part is None:
            self._part = np.empty_like(gradient)
        for index in range(1, len(dy)):
            np.matmul(dy[index], x[index].T, out=self._part)
            gradient += self._part
        if self.bias_parameter is not None:
            np.sum(dy, axis=(0, 2), out=self.bias_parameter.gradient)
        if self.source.wanted:
            dx = self.source.begin()
            np.matmul(self._used.T, dy, out=dx[:, : self.inputs])
            self.source.add(dx)


class OperatorStep(LinearStep):
    """What layers share whose weight the kernels hold a copy of."""

    def use(self, values: np.ndarray | None) -> None:
        """Other weights (size,) for the time being; None: the layer's own."""
        self.weight_parameter.refresh(values)

    @property
    def bias_gradient(self) -> np.ndarray | None:
        return None if self.bias_parameter is None else self.bias_parameter.gradient

    def dense_gradient(self, first: int, last: int) -> np.ndarray:
        """That of rows [first, last) of the weight at every column, stored or not; after backward."""
        raise NotImplementedError


class KernelStep(OperatorStep):
    """a = f(W x + b) through the kernels: sparse layers, convolutions, small dense layers beside them."""

    def __init__(
        self,
        index: int,
        layer: Matrix,
        follower: Activation | None,
        source: Place,
        result: Place,
        layout: Layout,
    ):
        """follower: the activation behind the layer where the kernels can fuse it, else None."""
        self.operator = make_operator(layer, source.dims, layout.threads, layout.isa)
        self._layout = layout
        super().__init__(index, layer, source, result, self.operator)
        self.activation = follower
        op, attributes = ("linear", ()) if follower is None else (follower.op, follower.attribute_values)
        self.fused = _core.Activation(op, *attributes)
        self._z = Buffer(result.features, layout) if follower is not None and follower.reads_input else None
        if follower is not None:
            result.fused = self.fused

    def forward(self) -> None:
        x, result = self.source.value, self.result
        y = result.new_value(len(x), x.shape[2])
        if self._z is not None:
            result.z = self._z.take(len(x), x.shape[2])
        self.operator.forward_tiles(self.bias, x, self.fused, result.z, y)

    def backward(self) -> None:
        source, result = self.source, self.result
        if self.activation is not None and not result.sloped:
            result.slope_back(self.activation)
        dy = result.slope
        self.operator.backward_weight_tiles(
            dy, source.value, self.weight_parameter.flat_gradient, self.bias_gradient
        )
        if not source.wanted:
            return
        dx, alone = source.begin(), source.readers == 1 and source.fused is not None
        fused, z = (source.fused, source.z) if alone else (None, None)
        self.operator.backward_input_tiles(dy, source.value, fused, z, dx)
        source.sloped = alone
        source.add(dx)

    def dense_gradient(self, first: int, last: int) -> np.ndarray:
        return dense_gradient(self.layer, self.source, self.result, first, last, self._layout)


class PlainStep:
    """What layers without weights share."""

    parameters = ()

    def check_unchanged(self) -> None:
        """Such a layer holds nothing that training changes."""


class ActivationStep(PlainStep):
    """a = f(z), all tiles at once: by the core, or by numpy where it mixes features or beside BLAS."""

    def __init__(self, layer: Activation, source: Place, result: Place, layout: Layout):
        self.activation, self.source, self.result, self._layout = layer, source, result, layout
        by_core = layout.samples and not layer.mixes_features
        self._core = _core.Activation(layer.op, *layer.attribute_values) if by_core else None

    def forward(self) -> None:
        x, n, layout = self.source.value, self.source.features, self._layout
        y = self.result.new_value(len(x), x.shape[2])
        if self._core is None:
            y[:, :n] = self.activation.value(x[:, :n])
        else:
            _core.tiles_activate(n, self._core, x, y, threads=layout.threads, isa=layout.isa)
        self.result.z = x

    def backward(self) -> None:
        if self.source.wanted:
            self.result.slope_back(self.activation)
            self.source.add(self.result.slope, lent=True)


class AddStep(PlainStep):
    """a = f(x + y) of two values of the same dims by the core, f an activation that alone reads the sum."""

    def __init__(self, follower: Activation | None, operands: list[Place], result: Place, layout: Layout):
        self.activation, self.operands, self.result, self._layout = follower, operands, result, layout
        self._fused = None if follower is None else _core.Activation(follower.op, *follower.attribute_values)
        self._z = Buffer(result.features, layout) if follower is not None and follower.reads_input else None
        result.fused = self._fused

    def forward(self) -> None:
        x, y = (place.value for place in self.operands)
        result, layout, n = self.result, self._layout, self.result.features
        made = result.new_value(len(x), x.shape[2])
        result.z = None if self._z is None else self._z.take(len(x), x.shape[2])
        total = made if result.z is None else result.z
        layout.add(n, x, y, total)
        if self._fused is not None:
            _core.tiles_activate(n, self._fused, total, made, threads=layout.threads, isa=layout.isa)

    def backward(self) -> None:
        result = self.result
        if self.activation is not None and not result.sloped:
            result.slope_back(self.activation)
        for place in self.operands:
            if place.wanted:
                place.add(result.slope, lent=True)


class ViewStep(PlainStep):
    """The same numbers under other dims, where they lie."""

    def __init__(self, source: Place, result: Place):
        self.source, self.result = source, result

    def forward(self) -> None:
        self.result.value = self.source.value

    def backward(self) -> None:
        if self.source.wanted:
            self.source.add(self.result.slope, lent=True)


class PoolStep(PlainStep):
    """The largest value or the mean of each window, by the core."""

    def __init__(self, layer: MaxPool2d | AvgPool2d, source: Place, result: Place, layout: Layout):
        self.layer, self.source, self.result = layer, source, result
        mean = "mean" if getattr(layer, "count_include_pad", True) else "mean_inside"
        window = layer.window.on(*source.dims[1:])
        self._given = "max" if isinstance(layer, MaxPool2d) else mean, source.dims, window.numbers
        self._options = {"threads": layout.threads, "isa": layout.isa}

    def forward(self) -> None:
        x = self.source.value
        _core.pool_forward(*self._given, x, self.result.new_value(len(x), x.shape[2]), **self._options)

    def backward(self) -> None:
        source, result = self.source, self.result
        if source.wanted:
            dx = source.begin()
            _core.pool_backward(*self._given, source.value, result.value, result.slope, dx, **self._options)
            source.add(dx)


class LayerStep(PlainStep):
    """Any other layer without weights, by its plain arithmetic, tile by tile."""

    def __init__(self, layer: Layer, operands: list[Place | np.ndarray], result: Place):
        """operands: a Place, or a constant (..., 1) float32."""
        self.layer, self.operands, self.result = layer, operands, result
        self._sources = [operand for operand in operands if isinstance(operand, Place)]
        self.source = self._sources[0]

    def forward(self) -> None:
        like = self._sources[0].value
        self.result.new_value(len(like), like.shape[2])
        for tile in range(len(like)):
            self.result.sample(self.result.value, tile)[...] = self.layer.value(*self._arguments(tile))

    def backward(self) -> None:
        totals = {place: place.begin() for place in self._sources if place.wanted}
        if not totals:
            return
        for tile in range(len(self.result.value)):
            a, da = (self.result.sample(array, tile) for array in (self.result.value, self.result.slope))
            given = self.layer.gradient(*self._arguments(tile), a, da)
            self._collect(tile, given if isinstance(given, tuple) else (given,), totals)
        for place, total in totals.items():
            place.add(total)

    def _arguments(self, tile: int) -> list[np.ndarray]:
        return [
            operand.sample(operand.value, tile) if isinstance(operand, Place) else operand
            for operand in self.operands
        ]

    def _collect(self, tile: int, given: tuple[np.ndarray, ...], totals: dict[Place, np.ndarray]) -> None:
        """Adds up what a tile hands back to each place, which may stand at several operands."""
        for place, total in totals.items():
            parts = [part for operand, part in zip(self.operands, given, strict=True) if operand is place]
            place.sample(total, tile)[...] = sum(parts[1:], parts[0])
