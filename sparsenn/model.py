"""A model: linear layers, dense or CSR, and activations, in execution order.

A layer's input is the output of the layer before it. Weights are (out, in) float32: an ndarray when the
layer is dense, a scipy csr_array when it is sparse. Nothing here computes: reference.py holds the plain
forward pass, compile.py the fast one, training/ the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from .checks import check_integer, check_real
from .limits import Limits
from .reference import reference
from .sparse_init import random_layer, stored_counts
from .table import model_line, model_table
from .weights import as_bias, as_weight


class Linear:
    """y = W x + b, with W (out, in) an ndarray or any scipy sparse matrix and b (out,) or None.

    Both are copied as float32; a sparse W becomes a csr_array with sorted indices, whose stored zeros stay.
    Raises TypeError for anything but real numbers, ValueError for a wrong shape, CSRError for arrays that
    are no valid CSR matrix.
    """

    def __init__(self, weight, bias=None):
        self._weight = as_weight(weight)
        self._bias = None if bias is None else as_bias(bias, outputs=self._weight.shape[0])

    @property
    def weight(self) -> np.ndarray | scipy.sparse.csr_array:
        """(out, in) float32. Assigning converts and copies like the constructor; the shape is fixed."""
        return self._weight

    @weight.setter
    def weight(self, value) -> None:
        if value is self._weight:
            return
        weight = as_weight(value)
        if weight.shape != self._weight.shape:
            raise ValueError(f"weight must keep its shape {self._weight.shape}, got {weight.shape}")
        self._weight = weight

    @property
    def bias(self) -> np.ndarray | None:
        """(out,) float32, or None when the layer has none."""
        return self._bias

    @bias.setter
    def bias(self, value) -> None:
        if value is not self._bias:
            self._bias = None if value is None else as_bias(value, outputs=self.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in)."""
        return self._weight.shape

    @property
    def sparse(self) -> bool:
        """Whether the weight is a csr_array."""
        return scipy.sparse.issparse(self._weight)

    @property
    def nnz(self) -> int:
        """Stored weights: those of the CSR pattern, or every one of a dense layer."""
        return int(self._weight.nnz) if self.sparse else self._weight.size

    @property
    def sparsity(self) -> float:
        """1 - nnz / (out * in): the fraction of weights that are not stored; 0 for a dense layer."""
        rows, columns = self.shape
        return 1.0 - self.nnz / (rows * columns)

    def make_writable(self) -> None:
        """Replaces arrays that cannot be written, as those that joblib maps into its workers, by copies."""
        values = self._weight.data if self.sparse else self._weight
        if not values.flags.writeable:
            self._weight = self._weight.copy()
        if self._bias is not None and not self._bias.flags.writeable:
            self._bias = self._bias.copy()

    def copy(self) -> Linear:
        """A layer with arrays of its own."""
        return Linear(self._weight, self._bias)

    def __repr__(self) -> str:
        rows, columns = self.shape
        kind = f"sparsity={self.sparsity:.4f}" if self.sparse else "dense"
        return f"Linear({columns} -> {rows}, {kind}{'' if self._bias is not None else ', no bias'})"


@dataclass(frozen=True)
class ReLU:
    """max(x, 0)."""


@dataclass(frozen=True)
class ClippedReLU:
    """min(max(x, low), high); low < high, both finite."""

    low: float = 0.0
    high: float = 6.0

    def __post_init__(self) -> None:
        low = check_real("low", self.low, minimum=-math.inf)
        high = check_real("high", self.high, minimum=-math.inf)
        if not (math.isfinite(low) and low < high):
            raise ValueError(f"low must be finite and less than high, got low={low:g}, high={high:g}")


@dataclass(frozen=True)
class Tanh:
    """The hyperbolic tangent."""


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True)
class GELU:
    """x/2 (1 + erf(x / sqrt 2)), the exact form."""


@dataclass(frozen=True)
class ELU:
    """x for x > 0, else alpha (exp(x) - 1); alpha finite and above 0, as float32 too.

    Source: Clevert, Unterthiner and Hochreiter 2016, arXiv:1511.07289
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        alpha = check_real("alpha", self.alpha, open_minimum=True)
        with np.errstate(over="ignore", under="ignore"):
            rounded = np.float32(alpha)
        if not 0 < rounded < math.inf:
            raise ValueError(f"alpha must be in the range of float32, got {alpha:g}")


@dataclass(frozen=True)
class Softmax:
    """exp(x) / sum(exp(x)) over the features of one sample."""


ACTIVATIONS = {
    "relu": ReLU,
    "clipped_relu": ClippedReLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "gelu": GELU,
    "elu": ELU,
    "softmax": Softmax,
}
LAYER_TYPES = (Linear, *ACTIVATIONS.values())


class Model:
    """A chain of layers; each Linear takes what the one before it gives. The layers are not copied.

    Raises TypeError for a layer of an unknown type, ValueError where no layer is a Linear or two do not fit.
    """

    def __init__(self, layers: Iterable):
        self.layers = tuple(layers)
        width = None
        for index, layer in enumerate(self.layers):
            if not isinstance(layer, LAYER_TYPES):
                names = ", ".join(kind.__name__ for kind in LAYER_TYPES)
                raise TypeError(f"layers[{index}] must be one of {names}, got {_describe(layer)}")
            if isinstance(layer, Linear):
                if width is not None and layer.shape[1] != width:
                    raise ValueError(
                        f"layers[{index}] must take the {width} features that the layer before it gives, "
                        f"got a weight of shape {layer.shape}"
                    )
                width = layer.shape[0]
        if width is None:
            raise ValueError(
                f"layers must hold at least one Linear, got {len(self.layers)} layers without one"
            )

    @property
    def linear_layers(self) -> tuple[Linear, ...]:
        """The Linear layers alone, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Linear))

    @property
    def inputs(self) -> int:
        """Features of one input sample."""
        return self.linear_layers[0].shape[1]

    @property
    def outputs(self) -> int:
        """Features of one output sample."""
        return self.linear_layers[-1].shape[0]

    @property
    def nnz(self) -> int:
        """Stored weights of all layers, biases not counted."""
        return sum(layer.nnz for layer in self.linear_layers)

    @property
    def sparsity(self) -> float:
        """1 - nnz / all weights."""
        return 1.0 - self.nnz / sum(math.prod(layer.shape) for layer in self.linear_layers)

    def predict(self, x) -> np.ndarray:
        """x (batch, inputs) -> (batch, outputs) float32, by numpy and scipy: the plain forward pass."""
        return reference(self, x, dtype=np.float32)

    def copy(self) -> Model:
        """A model whose layers have arrays of their own."""
        return Model(layer.copy() if isinstance(layer, Linear) else layer for layer in self.layers)

    def __str__(self) -> str:
        return model_table(self)

    def __repr__(self) -> str:
        return model_line(self)


def _describe(layer: object) -> str:
    if isinstance(layer, type):
        return f"the class {layer.__name__} (write {layer.__name__}() for a layer)"
    return type(layer).__name__


def mlp(
    sizes: Iterable[int],
    *,
    activation: str = "relu",
    output: str | None = None,
    sparsity: float = 0.0,
    pattern: str = "erdos_renyi",
    limits: Limits | None = None,
    seed: int = 0,
) -> Model:
    """A multi-layer perceptron with random weights and zero biases, dense or sparse from the start.

    sizes       features of the input, of each hidden layer and of the output, for example [64, 1024, 10]
    activation  after every layer but the last: relu, clipped_relu, tanh, sigmoid, gelu or elu
    output      after the last layer: None or "linear" for logits, or an activation's name, also "softmax"
    sparsity    fraction in [0, 1) of all weights that are not stored; above 0, layers are CSR but for those
                of which the pattern stores every weight
    pattern     how they are shared out: "erdos_renyi" (small layers keep more) or "random" (all alike);
                the places are random in both (sparse_init.stored_counts)
    limits      checked before anything is made; weights are cut to its weight_range
    seed        of the random weights; the same seed gives the same model

    Dense weights before a ReLU, a clipped ReLU, a GELU or an ELU are normal with variance 2 / in (He et al.
    2015, arXiv:1502.01852); all others normal with variance 2 / (in + out) (Glorot and Bengio 2010). Sparse
    weights have a variance that follows from each neuron's own number of them (sparse_init.random_layer).
    """
    sizes = [check_integer(f"sizes[{i}]", size, minimum=1) for i, size in enumerate(sizes)]
    if len(sizes) < 2:
        raise ValueError(f"sizes must name at least the input and the output, got {len(sizes)} numbers")
    seed = check_integer("seed", seed, minimum=0)
    hidden = _activation_by_name("activation", activation)
    last = None if output in (None, "linear") else _activation_by_name("output", output)
    sparsity = check_real("sparsity", sparsity, below=1.0)
    if limits is not None:
        limits.check_sizes(sizes)
    shapes = [(outputs, inputs) for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True)]
    counts = stored_counts(shapes, sparsity, pattern)
    generator = np.random.default_rng(seed)
    layers: list = []
    for index, ((outputs, inputs), count) in enumerate(zip(shapes, counts, strict=True)):
        follower = hidden if index < len(sizes) - 2 else last
        rectified = follower in (ReLU, ClippedReLU, GELU, ELU)
        if count < outputs * inputs:
            weight = random_layer((outputs, inputs), count, generator, rectified=rectified)
        else:
            scale = math.sqrt(2.0 / inputs if rectified else 2.0 / (inputs + outputs))
            weight = generator.standard_normal((outputs, inputs), dtype=np.float32) * np.float32(scale)
        if limits is not None and limits.weight_range is not None:
            values = weight if isinstance(weight, np.ndarray) else weight.data
            np.clip(values, *limits.weight_range, out=values)
        layers.append(Linear(weight, np.zeros(outputs, np.float32)))
        if follower is not None:
            layers.append(follower())
    return Model(layers)


def _activation_by_name(argument: str, name: object) -> type:
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(f"{argument} must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]
