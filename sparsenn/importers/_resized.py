"""Resizing to the nearest place along dimensions, as moves of what is there."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ._data import At, Data
from ._moves import joined, reshaped, sliced, taken, unsqueezed

COORDINATES: dict[str, Callable] = {  # of place x of size, where there were count; scale: how many for one
    "half_pixel": lambda x, count, size, scale: (x + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda x, count, size, scale: (x + 0.5) / scale - 0.5 if size > 1 else 0 * x,
    "asymmetric": lambda x, count, size, scale: x / scale,
    "align_corners": lambda x, count, size, scale: x * (count - 1) / max(scale * count - 1, 1e-9),
}
ROUNDINGS: dict[str, Callable] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def resized(
    data: Data, axis: int, at: At, *, size: int, scale: float | None, coordinates: str, rounding: str
) -> Data:
    """The nearest places along an axis of the tensor; scale None: that of the sizes."""
    count = data.size(data.place(axis, at), at)
    if coordinates not in COORDINATES or rounding not in ROUNDINGS:
        names = ", ".join((*COORDINATES, *ROUNDINGS))
        raise at.fail(f"have coordinates and a rounding of {names}, got {coordinates:.40} and {rounding:.40}")
    if size < 1 or (scale is not None and not 0 < scale < math.inf):
        raise at.bad(f"have a size of at least 1 and a scale above 0, got {size} and {scale}")
    factor = size / count if scale is None else scale
    x = COORDINATES[coordinates](np.arange(size, dtype=np.float64), count, size, factor)
    places = np.clip(ROUNDINGS[rounding](x), 0, count - 1).astype(np.int64)
    return _at_places(data, axis, places, count, at)


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
