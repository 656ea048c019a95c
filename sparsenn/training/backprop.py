"""A model as a chain of steps, each able to run forward and backward. Where training spends its time.

Arrays between steps are tiles (tiles.py). Weights are updated in place, so the model always holds the present
values. A sparse layer is only ever its stored values: weight, gradient and optimizer state have nnz elements.
"""

from __future__ import annotations

import numpy as np

from .. import _core
from ..errors import ArgumentError
from ..layers import Activation, Linear, Softmax
from ..model import Model, require_chain
from ..weights import core_indices
from .parameters import Parameter
from .tiles import Buffer, Layout

_SMALL = 2**20  # weights of a dense layer that goes through the sparse kernels beside sparse layers


def make_sparse_operator(weight, threads: int, isa: bytes) -> _core.Sparse:
    """The kernels of one pattern: the one place where training meets the C core.

    weight   (out, in): the pattern of a csr_array, or every weight of an ndarray
    """
    return _core.Sparse(*_pattern(weight), weight.shape, threads=threads, isa=isa)


def _pattern(weight) -> tuple[np.ndarray, np.ndarray]:
    """indptr (out + 1,) int64 and indices (nnz,) int32; of an ndarray, every weight."""
    if not isinstance(weight, np.ndarray):
        return core_indices(weight)
    rows, columns = weight.shape
    indptr = np.arange(0, rows * columns + 1, columns, dtype=np.int64)
    return indptr, np.tile(np.arange(columns, dtype=np.int32), rows)


class _LinearStep:
    """What linear layers share: the parameters, and the check that they are still the model's."""

    def __init__(self, index: int, layer: Linear, operator: _core.Sparse | None = None):
        self.index, self.layer, self.weight, self.bias = index, layer, layer.weight, layer.bias
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


class BlasStep(_LinearStep):
    """y = W x + b of a dense layer through BLAS."""

    def __init__(self, index: int, layer: Linear, layout: Layout):
        super().__init__(index, layer)
        self._y, self._dx = Buffer(self.outputs, layout), Buffer(self.inputs, layout)
        self._part, self._used = None, self.weight

    def use(self, values: np.ndarray | None) -> None:
        """Other weights (size,) for the time being; None: the layer's own."""
        self._used = self.weight if values is None else values.reshape(self.layer.shape)

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x, y = x, self._y.take(len(x), x.shape[2])
        values = y[:, : self.outputs]
        np.matmul(self._used, x[:, : self.inputs], out=values)  # (out, in) @ (tiles, in, samples)
        if self.bias is not None:
            values += self.bias[:, np.newaxis]
        return y

    def backward(self, dy: np.ndarray, below) -> np.ndarray | None:
        dy, x = dy[:, : self.outputs], self.x[:, : self.inputs]
        gradient = self.weight_parameter.gradient
        np.matmul(dy[0], x[0].T, out=gradient)
        if len(dy) > 1 and self._part is None:
            self._part = np.empty_like(gradient)
        for index in range(1, len(dy)):
            np.matmul(dy[index], x[index].T, out=self._part)
            gradient += self._part
        if self.bias_parameter is not None:
            np.sum(dy, axis=(0, 2), out=self.bias_parameter.gradient)
        if below is None:
            return None
        dx = self._dx.take(len(dy), dy.shape[2])
        np.matmul(self._used.T, dy, out=dx[:, : self.inputs])
        return dx


class KernelStep(_LinearStep):
    """a = f(W x + b) through the sparse kernels: sparse layers, and small dense ones beside them."""

    def __init__(self, index: int, layer: Linear, follower, layout: Layout):
        """follower: the activation behind the layer where the kernels can fuse it, else None."""
        self.operator = make_sparse_operator(layer.weight, layout.threads, layout.isa)
        super().__init__(index, layer, self.operator)
        self.activation = follower
        op, attributes = (layer.op, ()) if follower is None else (follower.op, follower.attribute_values)
        self.fused = _core.Activation(op, *attributes)
        self._y, self._dx = Buffer(self.outputs, layout), Buffer(self.inputs, layout)
        self._z = Buffer(self.outputs, layout) if follower is not None and follower.reads_input else None

    def use(self, values: np.ndarray | None) -> None:
        """Other weights (size,) for the time being; None: the layer's own."""
        self.weight_parameter.refresh(values)

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x, self.y = x, self._y.take(len(x), x.shape[2])
        self.z = None if self._z is None else self._z.take(len(x), x.shape[2])
        self.operator.forward_tiles(self.bias, x, self.fused, self.z, self.y)
        return self.y

    def apply_slope(self, dy: np.ndarray) -> None:
        """The way back through this step's activation, in place, where the step above could not fuse it."""
        n = self.outputs
        z = self.y if self.z is None else self.z
        dy[:, :n] = self.activation.gradient(z[:, :n], self.y[:, :n], dy[:, :n])

    def backward(self, dy: np.ndarray, below) -> np.ndarray | None:
        """dy, with this step's activation behind it -> dx, with that of below behind it where it is fused."""
        self.dy = dy
        bias_gradient = None if self.bias_parameter is None else self.bias_parameter.gradient
        self.operator.backward_weight_tiles(dy, self.x, self.weight_parameter.flat_gradient, bias_gradient)
        if below is None:
            return None
        dx = self._dx.take(len(dy), dy.shape[2])
        if isinstance(below, KernelStep):
            self.operator.backward_input_tiles(dy, below.y, below.fused, below.z, dx)
        else:
            self.operator.backward_input_tiles(dy, self.x, None, None, dx)
        return dx


class ActivationStep:
    """a = f(z), by numpy."""

    parameters = ()

    def __init__(self, layer, features: int, layout: Layout):
        self.activation, self.features = layer, features
        self._a, self._dz = Buffer(features, layout), Buffer(features, layout)

    def check_unchanged(self) -> None:
        """An activation holds nothing that training changes."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.z, self.a = x, self._a.take(len(x), x.shape[2])
        self.a[:, : self.features] = self.activation.value(x[:, : self.features])
        return self.a

    def backward(self, dy: np.ndarray, below) -> np.ndarray:
        n, dz = self.features, self._dz.take(len(dy), dy.shape[2])
        dz[:, :n] = self.activation.gradient(self.z[:, :n], self.a[:, :n], dy[:, :n])
        return dz


class Network:
    """The steps of a model. Holds references to its arrays, never copies but those of the kernels."""

    def __init__(self, model, *, threads: int, isa: bytes):
        """TypeError or ArgumentError where the model cannot be trained; the model is only read.

        isa  the kernel set that every step is to use, whatever the environment says by then
        """
        if not isinstance(model, Model):
            raise TypeError(f"model must be a Model, got {type(model).__name__}")
        require_chain(model, "training")
        layers = [layer for layer in model.layers if isinstance(layer, Linear)]
        if len(model.linear_layers) < len(layers):
            raise ArgumentError("model must not hold one Linear object twice: it would be updated twice")
        self.inputs, self.outputs = model.inputs, model.outputs
        beside_sparse = any(layer.sparse for layer in layers)
        # Beside BLAS's threads the core's own would only be in the way: see _make_steps.
        self.threads, self.isa = threads if beside_sparse else 1, isa
        samples = _core.tile_samples(isa) if beside_sparse else 0
        self.layout = Layout(samples, self.threads if beside_sparse else 0, self.threads, isa)
        self.steps = _make_steps(model, self.layout, beside_sparse=beside_sparse)
        self.ends_in_softmax = isinstance(model.last_layer, Softmax)
        self.parameters = [parameter for step in self.steps for parameter in step.parameters]
        self.linear_steps = [step for step in self.steps if step.parameters]
        self._first_linear = next(i for i, step in enumerate(self.steps) if step.parameters)
        self._x, self._dy = Buffer(self.inputs, self.layout), Buffer(self.outputs, self.layout)
        self.refresh()

    def check_unchanged(self) -> None:
        """RuntimeError when an array of the model was replaced, so that training would miss the model."""
        for step in self.steps:
            step.check_unchanged()

    def refresh(self) -> None:
        """Takes the model's present values into the kernels, after they were changed by other hands."""
        for parameter in self.parameters:
            parameter.refresh()

    def forward(self, features: np.ndarray, *, logits: bool) -> np.ndarray:
        """features (batch, inputs) -> (outputs, batch); with logits, without the Softmax at the end."""
        x = self.layout.load(features, self._x)
        for step in self._active(logits):
            x = step.forward(x)
        return self.layout.take_out(x, self.outputs, len(features))

    def backward(self, dy: np.ndarray, *, logits: bool) -> None:
        """Fills every parameter's gradient from the output's, dy (outputs, batch), after forward."""
        steps = self._active(logits)
        gradient, above = self.layout.put(dy, self._dy), None
        for index in range(len(steps) - 1, self._first_linear - 1, -1):
            step = steps[index]
            if isinstance(step, KernelStep) and step.activation and not isinstance(above, KernelStep):
                step.apply_slope(gradient)
            gradient = step.backward(gradient, steps[index - 1] if index > self._first_linear else None)
            above = step

    def _active(self, logits: bool) -> list:
        return self.steps[:-1] if logits and self.ends_in_softmax else self.steps


def _make_steps(model: Model, layout: Layout, *, beside_sparse: bool) -> list:
    """The steps of a model; an activation behind a layer that the kernels take is part of its step.

    BLAS brings threads of its own. Where its calls alternate with the kernels', the idle threads of each keep
    the processors busy for a while and hold up the other, by milliseconds a step. So a dense layer that is
    not large goes through the kernels where those run anyway, at a cost of about 30 bytes a weight.
    """
    steps: list = []
    features, fused = model.inputs, False
    for index, layer in enumerate(model.layers):
        follower = model.layers[index + 1] if index + 1 < len(model.layers) else None
        if not isinstance(layer, Linear):
            if not fused:
                steps.append(ActivationStep(layer, features, layout))
            fused = False
            continue
        features = layer.shape[0]
        if layer.sparse or (beside_sparse and layer.weight.size <= _SMALL):
            fused = isinstance(follower, Activation) and not follower.mixes_features
            steps.append(KernelStep(index, layer, follower if fused else None, layout))
        else:
            steps.append(BlasStep(index, layer, layout))
    return steps
