"""Attention as it trains: the core goes forward and back (src_c/train/attention.c), head by head.

The weights of queries and keys are made again on the way back, from what is kept of each query.
"""

from __future__ import annotations

import numpy as np

from .. import _core
from ..layers import Attention
from .norm import Pass
from .places import Place
from .steps import PlainStep
from .tiles import Buffer, Layout


class AttentionStep(PlainStep):
    """y of q, k, v and a mask, which is a Place that wants no gradient, or a constant (..., 1) float32."""

    def __init__(
        self,
        layer: Attention,
        operands: list[Place | np.ndarray],
        result: Place,
        layout: Layout,
        current: Pass,
    ):
        q, k, v, *masks = operands
        self._operands, self.result, self._pass = (q, k, v), result, current
        self._mask = masks[0] if masks else None
        heads, depth, queries = q.dims
        sizes = {"heads": heads, "own_heads": k.dims[0], "depth": depth, "width": v.dims[1]}
        sizes |= {"queries": queries, "keys": k.dims[2]}
        strides = {name: place.rows_apart() for name, place in zip("qkvy", (q, k, v, result), strict=True)}
        self._fixed = None
        if masks:
            strides["mask"], sizes["mask_rows"] = _mask_strides(masks[0]), int(np.prod(_shape(masks[0])))
            if not isinstance(masks[0], Place):
                self._fixed = np.ascontiguousarray(masks[0]).reshape(-1)
        options = {"threads": layout.threads, "isa": layout.isa}
        self._core = _core.Attending(sizes, strides, layer.scale, layer.causal, layer.zeros, **options)
        self._kept = Buffer(2 * heads * queries, layout)
        self._slopes = [Buffer(place.features, layout) for place in self._operands]

    def forward(self) -> None:
        values = [place.value for place in self._operands]
        size = len(values[0]), values[0].shape[2]
        mask = self._mask.value if isinstance(self._mask, Place) else None
        y = self.result.new_value(*size)
        self._core.forward(self._pass.samples, *values, mask, self._fixed, y, self._kept.take(*size))

    def backward(self) -> None:
        dy = self.result.slope
        size = len(dy), dy.shape[2]
        made = [
            buffer.take(*size) if place.wanted else None
            for place, buffer in zip(self._operands, self._slopes, strict=True)
        ]
        self._core.backward(dy, *made)
        for place, slopes in zip(self._operands, made, strict=True):
            if slopes is not None:
                place.add(slopes, lent=True)


def _shape(mask: Place | np.ndarray) -> tuple[int, ...]:
    return mask.dims if isinstance(mask, Place) else mask.shape[:-1]


def _mask_strides(mask: Place | np.ndarray) -> list[int]:
    """From one head, query and key of a mask to the next; 0 where it is repeated."""
    dims = _shape(mask)
    rows = (
        mask.rows_apart() if isinstance(mask, Place) else [np.prod(dims[i + 1 :]) for i in range(len(dims))]
    )
    apart = [0 if size == 1 else int(step) for size, step in zip(dims, rows, strict=True)]
    return [0] * (3 - len(apart)) + apart
