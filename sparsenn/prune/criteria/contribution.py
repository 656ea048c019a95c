"""Contribution: weights that add little to the sums they enter go first."""

import numpy as np
import scipy

from ..csr import stored_values
from ..slopes import mean_inputs


def importance(model, data) -> list[np.ndarray]:
    """Importance of each weight: mean over the samples of |w a|, a the layer's input that w multiplies.

    Of a layer that stands at several nodes of a graph: the sum over these.

    data  X (n, inputs), or (X, y), of which y is not looked at
    ->    one array a Linear layer, (out, in) or (nnz,) float64
    """
    result = []
    means = mean_inputs(model, data, "contribution", np.abs)
    for layer, mean in zip(model.linear_layers, means, strict=True):
        at_each = mean[layer.weight.indices] if scipy.sparse.issparse(layer.weight) else mean[np.newaxis, :]
        result.append(np.abs(stored_values(layer.weight)) * at_each)
    return result
