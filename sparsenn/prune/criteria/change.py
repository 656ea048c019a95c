"""Change: weights that moved little during training go first."""

import numpy as np

from ..recorder import recorded_range


def importance(model, data=None) -> list[np.ndarray]:
    """Importance of each weight: the largest less the smallest value it had during training.

    Recorded by sparsenn.RecordRange, a callback of train. data is not looked at.
    ->  one array a Linear layer, (out, in) or (nnz,) float32
    ArgumentError where a layer has no record.
    """
    return [recorded_range(layer, index) for index, layer in enumerate(model.linear_layers)]
