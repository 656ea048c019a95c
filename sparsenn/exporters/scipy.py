"""scipy: the weights alone."""

from __future__ import annotations

import numpy as np
import scipy

from ..errors import UnsupportedError
from ..layers import Linear, Matrix
from ..model import Model
from ._check import check_model


def to_scipy(model: Model) -> list[tuple[scipy.sparse.csr_array, np.ndarray | None]]:
    """(weight, bias) of each Linear layer in order: csr_array (out, in) and (out,) or None, both float32.

    One that stands at several nodes is there as often.

    Copies. A dense weight becomes a csr_array of those that are not zero; a sparse one keeps its pattern.
    """
    layers = [layer for layer in check_model(model).layers if isinstance(layer, Matrix)]
    for layer in layers:
        if not isinstance(layer, Linear):
            raise UnsupportedError(f"to_scipy takes Linear layers only, got {layer!r}")
    return [
        (scipy.sparse.csr_array(layer.weight, copy=True), None if layer.bias is None else layer.bias.copy())
        for layer in layers
    ]
