"""The ONNX operators that resize: to the nearest place or linearly, along any axes but the batch.

All is computed in float32, as ONNX Runtime does: 5 times a scale of 1.8 are 9, and not below.
"""

from __future__ import annotations

import math

import numpy as np

from ..layers import Resize
from ..layers.resize import COORDINATES, LINEAR, MOST_PLACES, ROUNDINGS
from ._data import Data
from ._onnx_values import Node
from ._resized import resized_as

HALF = np.float32(0.5)


def resize(node: Node) -> Data:
    """Scales or sizes are constants; inputs were x and scales before opset 11."""
    data = node.data(0)
    mode = node.attributes.get("mode", "nearest")
    if mode not in LINEAR or node.attributes.get("antialias", 0):
        raise node.fail(f"have mode 'nearest' or 'linear', without antialias, got {mode!r:.40}")
    first = 2 if node.opset >= 11 else 1
    scales, sizes = node.constant(first, optional=True), node.constant(first + 1, optional=True)
    scales, sizes = (None if part is None or not part.size else part.reshape(-1) for part in (scales, sizes))
    if (scales is None) == (sizes is None):
        raise node.bad("have scales or sizes, and not both")
    axes = list(node.attributes.get("axes", tuple(range(data.rank))))
    if not all(-data.rank <= axis < data.rank for axis in axes):
        raise node.bad(f"have axes in [{-data.rank}, {data.rank}), got {axes[:8]}")
    axes = [axis % data.rank for axis in axes]
    given = scales if sizes is None else sizes
    if given.size != len(axes) or len(set(axes)) < len(axes) or given.dtype.kind not in "fiu":
        raise node.bad(f"have a number for each of its axes, got {given.size} for {len(axes)}")
    old = node.opset < 11  # then there was one way alone
    coordinates = "asymmetric" if old else node.attributes.get("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if old else node.attributes.get("nearest_mode", "round_prefer_floor")
    if coordinates not in COORDINATES or rounding not in ROUNDINGS:
        names = ", ".join((*COORDINATES, *ROUNDINGS))
        raise node.fail(
            f"have coordinates and a rounding of {names}, got {coordinates:.40} and {rounding:.40}"
        )
    for axis, size, scale in reversed(_targets(node, data, axes, scales, sizes)):
        if axis == data.axis:
            if size != data.batch:
                raise node.fail_batch(f"leave the batch alone, got {size} for {data}")
            continue
        if not 1 <= size <= MOST_PLACES:
            raise node.bad(f"have sizes in [1, 2^24], got {size}")
        how = {"mode": mode, "coordinates": coordinates, "rounding": rounding}
        own = np.float32(data.shape[axis])
        if np.floor(own * scale) == size:
            given = {"scale": float(scale)}
        else:
            given = (
                {"size": size} if np.float32(size) / own == scale else {"size": size, "scale": float(scale)}
            )
        data = resized_as(data, axis, Resize(1, **given, **how), node)
    return data


def _targets(node: Node, data: Data, axes: list[int], scales, sizes) -> list[tuple[int, int, np.float32]]:
    """(axis, size, scale) in order of axes."""
    if any(data.shape[axis] is None for axis in axes):
        raise node.unknown(data)
    own = np.array([data.shape[axis] for axis in axes], np.float32)
    if sizes is None:
        factors = scales.astype(np.float32)
        if not ((factors > 0) & (factors < math.inf)).all():
            raise node.bad(f"have scales above 0, got {factors[:8].tolist()}")
        made = np.floor(own * factors)
    else:
        made = sizes.astype(np.float32)
        factors = made / own
        policy = node.attributes.get("keep_aspect_ratio_policy", "stretch")
        if policy not in ("stretch", "not_larger", "not_smaller"):
            raise node.bad(f"have a known keep_aspect_ratio_policy, got {policy!r:.40}")
        if policy != "stretch":
            factors[:] = factors.min() if policy == "not_larger" else factors.max()
            made = np.floor(factors * own + HALF)
    return sorted(zip(axes, map(int, made), factors, strict=True))


RESIZE_OPS = {"Resize": resize, "Upsample": resize}
