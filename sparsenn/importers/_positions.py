"""A product at every position: a weight times the last dimension of data that has others before it."""

from __future__ import annotations

import numpy as np

from ..layers.window import Window
from ._convolutions import convolution, lifted, lowered
from ._data import At, Data
from ._moves import flattened, permuted, reshaped


def at_positions(data: Data, weight, bias, at: At) -> Data:
    """weight (out, in) times the last dimension of data (batch, ..., in); bias (out,) or None.

    A convolution whose kernel is one place, of the last dimension as channels.
    """
    if data.axis is None:
        made = at_positions(Data(data.wire, data.batch), weight, bias, at)
        return Data(made.wire, data.batch, None)
    if data.axis != 0:
        raise at.fail_batch("have the batch in dimension 0")
    if data.rank < 3 or None in data.sizes:
        raise at.unknown(data)
    if not isinstance(weight, np.ndarray):
        raise at.fail(f"have a dense weight for data of {data.rank} dimensions")
    *others, features = data.sizes
    if features != weight.shape[1]:
        raise at.bad(f"have a weight for {features} features, got {weight.shape[1]}")
    positions = data if len(others) == 1 else flattened(data, 1, len(others), at)
    images = lifted(permuted(positions, (0, 2, 1), at), at)
    made = convolution(images, weight[:, :, None, None], bias, Window.of((1, 1)), 1, at)
    made = permuted(lowered(made, at), (0, 2, 1), at)
    return reshaped(made, (data.batch, *others, weight.shape[0]), at)
