"""n:m: of every m consecutive inputs of a neuron or channel, the n most important stay."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError
from ...model import Model
from ._request import Request
from .block import block_of

FIXES_SPARSITY = True


def apply(request: Request) -> Model:
    """Each row keeps at most n stored weights in every group of m inputs: sparsity 1 - n / m.

    Inputs are features, or channels at one place of a convolution's window.

    Source: Mishra et al. 2021, arXiv:2104.08378 (2:4)
    """
    n, m = request.nm
    masks = []
    for index, layer, score in zip(request.layers, request.matrices(), request.scores(), strict=True):
        inputs = layer.shape[1] // layer.columns_per_unit
        if inputs % m:
            raise ArgumentError(
                f"nm must have an m that divides the inputs of the layers being pruned, got {n}:{m} for "
                f"Linear layer {index} with {inputs} inputs; keep={index} leaves that layer out"
            )
        group, _ = block_of(layer, (1, m, 1, 1))
        order = np.argsort(group, kind="stable")
        kept = np.empty(group.size, bool)
        kept[order] = places_from_top(group[order], score.reshape(-1)[order]) < n
        masks.append(kept.reshape(score.shape))
    return request.keep(masks)


def places_from_top(group: np.ndarray, score: np.ndarray) -> np.ndarray:
    """How many of its group each entry has above it: more important, or equal and later.

    group  (entries,) integers in ascending order;  score (entries,)
    """
    order = np.lexsort((score, group))  # by group, then from the least important, equal ones in order
    ends = np.searchsorted(group, group, side="right")  # where each entry's group ends
    places = np.empty(len(group), np.int64)
    places[order] = ends - 1 - np.arange(len(group))
    return places
