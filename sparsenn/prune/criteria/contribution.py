"""Contribution: weights that add little to the sums they enter go first."""

import numpy as np
from scipy.sparse import issparse

from ..csr import stored_values
from ..slopes import layer_inputs


def importance(model, data) -> list[np.ndarray]:
    """Importance of each weight: mean over the samples of |w a|, a the layer's input that w multiplies.

    data  X (n, inputs), or (X, y), of which y is not looked at
    ->    one array a Linear layer, (out, in) or (nnz,) float64
    """
    sums = [np.zeros(layer.shape[1]) for layer in model.linear_layers]
    count = 0
    for inputs in layer_inputs(model, data, "contribution"):
        count += inputs[0].shape[1]
        for total, a in zip(sums, inputs, strict=True):
            total += np.abs(a).sum(axis=1, dtype=np.float64)
    result = []
    for layer, total in zip(model.linear_layers, sums, strict=True):
        mean = total / count  # (in,)
        at_each = mean[layer.weight.indices] if issparse(layer.weight) else mean[np.newaxis, :]
        result.append(np.abs(stored_values(layer.weight)) * at_each)
    return result
