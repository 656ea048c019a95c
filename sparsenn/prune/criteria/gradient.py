"""Gradient: weights that the loss hardly depends on go first."""

import numpy as np

from ..slopes import mean_at_weights


def importance(model, data) -> list[np.ndarray]:
    """Importance of each weight: mean over the samples of |dL/dw|, L the loss of one sample.

    The gradient of a weight in one sample is a product, so the mean of its absolute value is one matrix
    product, |dY| |X| transposed: no loop over the samples.

    data  (X, y) or (X, y, loss)
    ->    one array a Linear layer, (out, in) or (nnz,) float64
    Source: Mozer and Smolensky 1988, Skeletonization (there for units)
    """
    return mean_at_weights(model, data, "gradient", np.abs)
