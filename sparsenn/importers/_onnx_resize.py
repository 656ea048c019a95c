"""The ONNX operators that resize: to the nearest place, along any axes but the batch."""

from __future__ import annotations

import math

import numpy as np

from ._data import Data
from ._onnx_values import Node
from ._resized import resized


def resize(node: Node) -> Data:
    """Scales or sizes are constants; inputs were x and scales before opset 11."""
    data = node.data(0)
    if (mode := node.attributes.get("mode", "nearest")) != "nearest":
        raise node.fail(f"have mode 'nearest', got {mode!r:.40}")
    first = 2 if node.opset >= 11 else 1
    scales, sizes = node.constant(first, optional=True), node.constant(first + 1, optional=True)
    scales, sizes = (None if part is None or not part.size else part.reshape(-1) for part in (scales, sizes))
    if (scales is None) == (sizes is None):
        raise node.bad("have scales or sizes, and not both")
    axes = [axis % data.rank for axis in node.attributes.get("axes", tuple(range(data.rank)))]
    given = scales if sizes is None else sizes
    if given.size != len(axes) or len(set(axes)) < len(axes) or given.dtype.kind not in "fiu":
        raise node.bad(f"have a number for each of its axes, got {given.size} for {len(axes)}")
    old = node.opset < 11  # then there was one way alone
    options = {
        "coordinates": "asymmetric" if old else node.attributes.get(
            "coordinate_transformation_mode", "half_pixel"),
        "rounding": "floor" if old else node.attributes.get("nearest_mode", "round_prefer_floor"),
    }  # fmt: skip
    for axis, size, scale in reversed(_targets(node, data, axes, scales, sizes)):
        if axis == data.axis:
            if size != data.batch:
                raise node.fail_batch(f"leave the batch alone, got {size} for {data}")
            continue
        data = resized(data, axis, node, size=size, scale=scale, **options)
    return data


def _targets(node: Node, data: Data, axes: list[int], scales, sizes) -> list[tuple[int, int, float | None]]:
    """(axis, size, scale) in order of axes; scale None: that of the sizes."""
    if any(data.shape[axis] is None for axis in axes):
        raise node.unknown(data)
    own = [data.shape[axis] for axis in axes]
    if sizes is None:
        factors = [float(scale) for scale in scales]
        if not all(0 < factor < math.inf for factor in factors):
            raise node.bad(f"have scales above 0, got {factors[:8]}")
        made = [math.floor(count * factor) for count, factor in zip(own, factors, strict=True)]
        return sorted(zip(axes, made, factors, strict=True))
    made = [int(size) for size in sizes]
    policy = node.attributes.get("keep_aspect_ratio_policy", "stretch")
    if policy not in ("stretch", "not_larger", "not_smaller"):
        raise node.bad(f"have a known keep_aspect_ratio_policy, got {policy!r:.40}")
    if policy == "stretch":
        return sorted(zip(axes, made, [None] * len(axes), strict=True))
    ratios = [size / count for size, count in zip(made, own, strict=True)]
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return sorted(
        (axis, int(np.floor(ratio * count + 0.5)), ratio) for axis, count in zip(axes, own, strict=True)
    )


RESIZE_OPS = {"Resize": resize, "Upsample": resize}
