"""Resizing along dimensions: a layer, or moves of what is there for places that the layer does not have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ArgumentError
from ..layers import Resize
from ._data import At, Data, check_size
from ._moves import joined, reshaped, sliced, taken, unsqueezed


def resized_as(data: Data, axis: int, layer: Resize, at: At) -> Data:
    """An axis of the tensor resized as a layer for axis 1 says."""
    place = data.place(axis, at)
    count = data.size(place, at)
    try:
        made = layer.infer((None, count))[1]
    except ArgumentError as error:
        raise at.bad(f"have sizes that fit: {error}") from None
    low, part = layer.places(count)
    if not part.any() and made == count and (low == np.arange(count)).all():
        return data
    sizes = (*data.sizes[:place], made, *data.sizes[place + 1 :])
    check_size(sizes, at)
    return data.then(replace(layer, axis=place + 1), sizes=sizes)


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
