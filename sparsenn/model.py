"""A model: linear layers, dense or CSR, and activations, in execution order.

A layer's input is the output of the layer before it. Weights are (out, in) float32: an ndarray when the
layer is dense, a scipy csr_array when it is sparse. Nothing here computes: reference.py holds the plain
forward pass, compile.py the fast one, training/ the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from .errors import ArgumentError
from .layers import LAYER_TYPES, Linear
from .reference import reference
from .table import model_line, model_table


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
                    raise ArgumentError(
                        f"layers[{index}] must take the {width} features that the layer before it gives, "
                        f"got a weight of shape {layer.shape}"
                    )
                width = layer.shape[0]
        if width is None:
            raise ArgumentError(
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
        return Model(layer.copy() for layer in self.layers)

    def __str__(self) -> str:
        return model_table(self)

    def __repr__(self) -> str:
        return model_line(self)


def _describe(layer: object) -> str:
    if isinstance(layer, type):
        return f"the class {layer.__name__} (write {layer.__name__}() for a layer)"
    return type(layer).__name__
