"""Random: the control that any criterion should beat."""

import numpy as np

from ..csr import stored_values


def importance(model, data=None, *, seed: int = 0) -> list[np.ndarray]:
    """Importance of each weight: uniformly random, the same at each call. data is not looked at.

    seed  other draws: criterion=functools.partial(importance, seed=1)
    ->    one array a Linear layer, (out, in) or (nnz,) float64
    """
    generator = np.random.default_rng(seed)
    return [generator.random(np.shape(stored_values(layer.weight))) for layer in model.linear_layers]
