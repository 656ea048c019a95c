"""Hessian: weights whose removal changes the loss least, to second order, go first."""

import numpy as np

from ..csr import stored_values
from ..slopes import mean_at_weights


def importance(model, data) -> list[np.ndarray]:
    """Importance of each weight: w^2 h / 2, h the diagonal of the empirical Fisher matrix.

    h is the mean over the samples of (dL/dw)^2, which stands in for the second derivative of the loss. The
    square of a product is a product of squares, so h is one matrix product: no loop over the samples.

    data  (X, y) or (X, y, loss)
    ->    one array a Linear layer, (out, in) or (nnz,) float64
    Source: LeCun et al. 1989, Optimal Brain Damage, eq. 5; Fisher for the Hessian: Theis et al. 2018,
            arXiv:1801.05787
    """
    fisher = mean_at_weights(model, data, "hessian", np.square)
    return [
        np.square(stored_values(layer.weight), dtype=np.float64) * h / 2
        for layer, h in zip(model.linear_layers, fisher, strict=True)
    ]
