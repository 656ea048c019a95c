"""A model as a chain of steps, each able to run forward and backward. Where training spends its time.

All arrays are feature-major, (features, batch) float32: what the sparse kernels take. Weights are updated in
place, so the model always holds the present values. A sparse layer is only ever its stored values: weight,
gradient and optimizer state have nnz elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from . import _core
from .activations import activation_of
from .errors import ArgumentError
from .model import Linear, Model, Softmax
from .weights import core_indices

_SMALL = 2**16  # weights of a dense layer that goes through the sparse kernels beside sparse layers


@dataclass
class Parameter:
    """An array being trained: values (any shape, float32), its gradient (the same shape), optimizer state."""

    name: str
    values: np.ndarray
    is_weight: bool
    gradient: np.ndarray = field(init=False)
    state: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        self.gradient = np.zeros_like(self.values)


def make_sparse_operator(weight, threads: int):
    """The kernels of one pattern: the one place where training meets the C core.

    weight   (out, in): the pattern of a csr_array, or every weight of an ndarray
    threads  0 for the default
    ->       object with forward, backward_input and backward_weight
    """
    rows, columns = weight.shape
    if isinstance(weight, np.ndarray):
        indptr = np.arange(0, rows * columns + 1, columns, dtype=np.int64)
        indices = np.tile(np.arange(columns, dtype=np.int32), rows)
    else:
        indptr, indices = core_indices(weight)
    return _core.Sparse(indptr, indices, (rows, columns), threads=threads)


class _LinearStep:
    """What linear layers share: the parameters, and the check that they are still the model's."""

    def __init__(self, index: int, layer: Linear):
        self.index, self.layer, self.weight, self.bias = index, layer, layer.weight, layer.bias
        self.weight_parameter = Parameter(f"{index}.weight", self._stored(), is_weight=True)
        self.parameters = [self.weight_parameter]
        self.bias_parameter = None
        if self.bias is not None:
            self.bias_parameter = Parameter(f"{index}.bias", self.bias, is_weight=False)
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

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x = x
        y = self.weight @ x  # (out, in) @ (in, batch)
        if self.bias is not None:
            y += self.bias[:, np.newaxis]
        return y

    def backward(self, dy: np.ndarray, *, input_needed: bool) -> np.ndarray | None:
        np.matmul(dy, self.x.T, out=self.weight_parameter.gradient)
        if self.bias_parameter is not None:
            np.sum(dy, axis=1, out=self.bias_parameter.gradient)
        return self.weight.T @ dy if input_needed else None


class KernelStep(_LinearStep):
    """y = W x + b through the sparse kernels: sparse layers, and small dense ones beside them."""

    def __init__(self, index: int, layer: Linear, threads: int):
        super().__init__(index, layer)
        self.operator = make_sparse_operator(layer.weight, threads)
        self.data = self.weight_parameter.values.reshape(-1)  # views (nnz,)
        self.data_gradient = self.weight_parameter.gradient.reshape(-1)

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x = x
        return self.operator.forward(self.data, self.bias, x)

    def backward(self, dy: np.ndarray, *, input_needed: bool) -> np.ndarray | None:
        bias_gradient = None if self.bias_parameter is None else self.bias_parameter.gradient
        self.operator.backward_weight(dy, self.x, ddata=self.data_gradient, dbias=bias_gradient)
        return self.operator.backward_input(self.data, dy) if input_needed else None


class ActivationStep:
    """a = f(z), by numpy."""

    parameters = ()

    def __init__(self, layer):
        self.activation = activation_of(layer)

    def check_unchanged(self) -> None:
        """An activation holds nothing that training changes."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.z, self.a = x, self.activation.value(x)
        return self.a

    def backward(self, dy: np.ndarray, *, input_needed: bool) -> np.ndarray | None:
        return self.activation.gradient(self.z, self.a, dy) if input_needed else None


class Network:
    """The steps of a model. Holds references to its arrays, never copies."""

    def __init__(self, model, *, threads: int):
        """TypeError or ArgumentError where the model cannot be trained; the model is only read."""
        if not isinstance(model, Model):
            raise TypeError(f"model must be a Model, got {type(model).__name__}")
        layers = model.linear_layers
        if len({id(layer) for layer in layers}) < len(layers):
            raise ArgumentError("model must not hold one Linear object twice: it would be updated twice")
        self.inputs, self.outputs = model.inputs, model.outputs
        beside_sparse = any(layer.sparse for layer in layers)
        self.steps = [
            _make_step(index, layer, beside_sparse=beside_sparse, threads=threads)
            for index, layer in enumerate(model.layers)
        ]
        self.ends_in_softmax = isinstance(model.layers[-1], Softmax)
        self.parameters = [parameter for step in self.steps for parameter in step.parameters]
        self._first_linear = next(i for i, step in enumerate(self.steps) if step.parameters)

    def check_unchanged(self) -> None:
        """RuntimeError when an array of the model was replaced, so that training would miss the model."""
        for step in self.steps:
            step.check_unchanged()

    def forward(self, x: np.ndarray, *, logits: bool) -> np.ndarray:
        """x (inputs, batch) -> (outputs, batch); with logits, without the Softmax at the end."""
        for step in self._active(logits):
            x = step.forward(x)
        return x

    def backward(self, dy: np.ndarray, *, logits: bool) -> None:
        """Fills every parameter's gradient from the output's, dy (outputs, batch), after forward."""
        steps = self._active(logits)
        for index in range(len(steps) - 1, self._first_linear - 1, -1):
            dy = steps[index].backward(dy, input_needed=index > self._first_linear)

    def _active(self, logits: bool) -> list:
        return self.steps[:-1] if logits and self.ends_in_softmax else self.steps


def _make_step(index: int, layer, *, beside_sparse: bool, threads: int):
    """The step of a layer; beside_sparse: whether the model has sparse layers.

    BLAS brings threads of its own. Where its calls alternate with the kernels', the idle threads of each keep
    the processors busy for a while and hold up the other: so a small dense layer, which gains little from
    BLAS, goes through the kernels where those run anyway.
    """
    if not isinstance(layer, Linear):
        return ActivationStep(layer)
    if layer.sparse or (beside_sparse and layer.weight.size <= _SMALL):
        return KernelStep(index, layer, threads)
    return BlasStep(index, layer)
