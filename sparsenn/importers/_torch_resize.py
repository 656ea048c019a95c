"""torch's interpolation, with the arguments that it has there, after the place."""

from __future__ import annotations

import math

import numpy as np

from ..layers import Resize
from ..layers.resize import MOST_PLACES
from ._data import Data
from ._resized import resized, resized_as
from ._torch_place import Place


def interpolate(
    at: Place,
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
) -> Data:
    """To the nearest place, or linearly, along the dimensions behind the channels."""
    data = at.data(input)
    if mode not in MODES or antialias:
        raise at.fail(f"have a mode of {', '.join(MODES)}, without antialias, got {mode!r}")
    if data.axis != 0 or data.rank < 3:
        raise at.fail(f"take (batch, channels, ...), got {data}")
    count = data.rank - 2
    given = size if scale_factor is None else scale_factor
    numbers = list(given) if isinstance(given, (list, tuple)) else [given] * count
    if (size is None) == (scale_factor is None) or len(numbers) != count:
        raise at.bad(f"have a size or a scale_factor of {count} numbers, got {size} and {scale_factor}")
    for axis in range(data.rank - 1, 1, -1):
        number, own = numbers[axis - 2], data.size(data.place(axis, at), at)
        scale = None if scale_factor is None else at.number(number, "scale_factor")
        if scale is not None and not 0 < scale <= MOST_PLACES:
            raise at.bad(f"have a scale_factor above 0 and at most 2^24, got {scale}")
        made = at.integer(number, "size") if scale is None else math.floor(own * scale)
        if not 1 <= made <= MOST_PLACES:
            raise at.bad(f"have sizes in [1, 2^24], got {made}")
        back = own / made if scale is None or recompute_scale_factor else 1 / scale
        data = _resized(data, axis, made, back, mode, bool(align_corners), at)
    return data


def _resized(data: Data, axis: int, made: int, back: float, mode: str, corners: bool, at: Place) -> Data:
    """back: places of what is there for one that is made."""
    how, coordinates, rounding = MODES[mode]
    own = data.shape[axis]
    given: dict = {"size": made}
    if not corners:
        by_scale = np.floor(np.float32(own) * np.float32(1 / back)) == made
        given = (
            {"scale": 1 / back}
            if by_scale
            else {"size": made}
            if back == own / made
            else {"size": made, "scale": 1 / back}
        )
    layer = Resize(
        1,
        **given,
        mode=how,
        coordinates="align_corners" if corners else coordinates,
        rounding=rounding,
    )
    if how == "nearest":
        places = np.clip(_places(own, made, back, exact=mode == "nearest-exact"), 0, own - 1)
        if (layer.places(own)[0] != places).any():
            return resized(data, axis, places, at)
    return resized_as(data, axis, layer, at)


MODES = {  # of torch: mode, coordinates, rounding
    "nearest": ("nearest", "asymmetric", "floor"),
    "nearest-exact": ("nearest", "half_pixel", "round_prefer_ceil"),
    **dict.fromkeys(("linear", "bilinear", "trilinear"), ("linear", "half_pixel", "round_prefer_floor")),
}


def _places(count: int, size: int, scale: float, *, exact: bool) -> np.ndarray:
    """In float32, as torch computes them; it keeps those of the same size and of twice the size apart."""
    x = np.arange(size, dtype=np.float32)
    if not exact and size in (count, 2 * count):
        return x // (size // count)
    return np.floor((x + np.float32(0.5 if exact else 0.0)) * np.float32(scale))
