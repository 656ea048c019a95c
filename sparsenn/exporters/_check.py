"""Checks that every exporter makes."""

from __future__ import annotations

import numpy as np
import scipy

from ..layers import Matrix
from ..model import Model
from ..sparse_input import checked


def check_model(model: object) -> Model:
    """model, which must be a Model whose sparse weights are sound: their arrays may have been changed."""
    if not isinstance(model, Model):
        raise TypeError(f"model must be a sparsenn.Model, got {type(model).__name__}")
    for index, layer in enumerate(model.layers):
        if isinstance(layer, Matrix) and layer.sparse:
            checked(layer.weight, f"model.layers[{index}].weight")
    return model


def dense_weight(layer) -> np.ndarray:
    """A copy of a Linear's weight as (out, in) float32."""
    return layer.weight.toarray() if scipy.sparse.issparse(layer.weight) else layer.weight.copy()
