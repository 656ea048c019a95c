"""Magnitude: small weights go first."""

import numpy as np

from ..csr import stored_values


def importance(model, data=None) -> list[np.ndarray]:
    """Importance of each weight: its absolute value. data is not looked at.

    ->  one array a Linear layer, (out, in) or (nnz,) float32
    Source: Han et al. 2015, arXiv:1506.02626
    """
    return [np.abs(stored_values(layer.weight)) for layer in model.linear_layers]
