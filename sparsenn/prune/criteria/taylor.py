"""Taylor: weights whose removal changes the loss least, to first order, go first."""

import numpy as np

from ..csr import stored_values
from ..slopes import mean_at_weights


def importance(model, data) -> list[np.ndarray]:
    """Importance of each weight: |w dL/dw|, L the mean loss over the samples.

    data  (X, y) or (X, y, loss)
    ->    one array a Linear layer, (out, in) or (nnz,) float64
    Source: Molchanov et al. 2017, arXiv:1611.06440, eq. 7, for single weights
    """
    gradients = mean_at_weights(model, data, "taylor", np.asarray)
    return [
        np.abs(stored_values(layer.weight) * gradient)
        for layer, gradient in zip(model.linear_layers, gradients, strict=True)
    ]
