"""Hidden neurons and channels: the layers around them really shrink, and stay dense where they were."""

from __future__ import annotations

import numpy as np

from ...model import Model
from ..narrow import remove_units
from ..neurons import mean_columns
from ..selection import select_kept
from ..unit_scores import free_units, unit_scores
from ..units import known_columns, units_of
from ._request import Request

COUNTS_NEURONS = True  # an amount is a share of the hidden neurons and channels, and layers shrink


def apply(request: Request) -> Model:
    """The least important groups of neurons and channels go; the amount counts groups, not weights.

    Neurons and channels that can only go together, as those that an Add ties, are one group. What comes in
    and goes out always stays, and so does the most important group of each value. What a removed group adds
    to the layers that read it on average over data is folded into their biases; without data that is done
    for those that are constant.
    """
    model = request.model
    units = units_of(model)
    free = free_units(units, request.layers, request.amount, request.protected)
    score = unit_scores(model, units, request.importances)
    kept = select_kept(
        [score[groups] for groups in free.values()],
        [groups.size for groups in free.values()],
        layers=list(free),
        amount=request.amount,
        scope=request.scope,
    )
    gone = np.zeros(units.count + 1, bool)
    for groups, stays in zip(free.values(), kept, strict=True):
        gone[groups[~stays]] = True
    units.leave_one(gone, score)
    given = known_columns(model, units) if request.data is None else mean_columns(model, request.data)
    return remove_units(model, units, gone, given)
