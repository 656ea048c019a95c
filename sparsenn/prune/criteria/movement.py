"""Movement: weights that gradients push towards zero go first."""

import numpy as np

from ..movement import recorded_movement


def importance(model, data=None) -> list[np.ndarray]:
    """Importance of each weight: sum over the steps of training of -w dL/dw, below 0 if it became smaller.

    Recorded by sparsenn.RecordMovement, a callback of train. data is not looked at.
    ->  one array a Linear layer, (out, in) or (nnz,) float32
    ArgumentError where a layer has no record.
    Source: Sanh, Wolf and Rush 2020, arXiv:2005.07683, eq. 5
    """
    return [recorded_movement(layer, index) for index, layer in enumerate(model.linear_layers)]
