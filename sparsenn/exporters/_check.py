"""Checks that every exporter makes."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from ..model import Model


def check_model(model: object) -> Model:
    """model, which must be a Model."""
    if not isinstance(model, Model):
        raise TypeError(f"model must be a sparsenn.Model, got {type(model).__name__}")
    return model


def dense_weight(layer) -> np.ndarray:
    """A copy of a Linear's weight as (out, in) float32."""
    return layer.weight.toarray() if scipy.sparse.issparse(layer.weight) else layer.weight.copy()
