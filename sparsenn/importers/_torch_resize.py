"""torch's interpolation, with the arguments that it has there, after the place."""

from __future__ import annotations

import math

from ._data import Data
from ._resized import resized
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
    """To the nearest place along the dimensions behind the channels."""
    data = at.data(input)
    if mode not in ("nearest", "nearest-exact") or align_corners or antialias:
        raise at.fail(f"have mode 'nearest' or 'nearest-exact', got {mode!r}")
    if data.axis != 0 or data.rank < 3:
        raise at.fail(f"take (batch, channels, ...), got {data}")
    count = data.rank - 2
    given = size if scale_factor is None else scale_factor
    numbers = list(given) if isinstance(given, (list, tuple)) else [given] * count
    if (size is None) == (scale_factor is None) or len(numbers) != count:
        raise at.bad(f"have a size or a scale_factor of {count} numbers, got {size} and {scale_factor}")
    exact = mode == "nearest-exact"
    for axis in range(data.rank - 1, 1, -1):
        number, own = numbers[axis - 2], data.size(data.place(axis, at), at)
        scale = None if scale_factor is None else at.number(number, "scale_factor")
        made = at.integer(number, "size") if scale is None else math.floor(own * scale)
        data = resized(
            data, axis, at, size=made, scale=None if recompute_scale_factor else scale,
            coordinates="half_pixel" if exact else "asymmetric",
            rounding="round_prefer_ceil" if exact else "floor",
        )  # fmt: skip
    return data
