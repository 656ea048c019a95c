"""n:m: of every m consecutive inputs of a neuron, the n most important stay."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError
from ...model import Model
from ..csr import stored_positions
from ._request import Request

FIXES_SPARSITY = True


def apply(request: Request) -> Model:
    """Each row keeps at most n stored weights in every group of m columns: sparsity 1 - n / m.

    Source: Mishra et al. 2021, arXiv:2104.08378 (2:4)
    """
    n, m = request.nm
    masks = []
    for index, weight, score in zip(request.layers, request.weights(), request.scores(), strict=True):
        if weight.shape[1] % m:
            raise ArgumentError(
                f"nm must have an m that divides the inputs of the layers being pruned, got {n}:{m} for "
                f"Linear layer {index} with {weight.shape[1]} inputs; keep={index} leaves that layer out"
            )
        rows, columns = stored_positions(weight)
        group = rows * (weight.shape[1] // m) + columns // m
        masks.append((places_from_top(group, score.reshape(-1)) < n).reshape(score.shape))
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
