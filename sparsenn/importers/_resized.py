"""Resizing to the nearest place along dimensions, as moves of what is there."""

from __future__ import annotations

import numpy as np

from ._data import At, Data
from ._moves import joined, reshaped, sliced, taken, unsqueezed

MOST_PLACES = 1 << 24  # along an axis: what float32 can count


def resized(data: Data, axis: int, places: np.ndarray, at: At) -> Data:
    """What is at places (size,) along an axis of the tensor, the nearest where there is none."""
    count = data.size(data.place(axis, at), at)
    return _at_places(data, axis, np.clip(places, 0, count - 1).astype(np.int64), count, at)


def _at_places(data: Data, axis: int, places: np.ndarray, count: int, at: At) -> Data:
    """Each place as often as a whole number, every so many of them, or one by one."""
    size = len(places)
    if size == count and (places == np.arange(count)).all():
        return data
    if size % count == 0 and (places == np.arange(size) // (size // count)).all():
        wide = unsqueezed(data, [axis + 1], at)
        shape = (*data.shape[:axis], size, *data.shape[axis + 1 :])
        return reshaped(joined([wide] * (size // count), axis + 1, at), shape, at)
    step = int(places[1] - places[0]) if size > 1 else 1
    if step > 0 and (np.diff(places) == step).all():
        return sliced(data, axis, int(places[0]), int(places[-1]) + 1, step, at)
    return taken(data, places.tolist(), axis, at)
