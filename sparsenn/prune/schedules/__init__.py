"""The pruning schedules: how sparsity grows from step to step. One file each, found by its name.

A new schedule is a new file here with one function:

    def sparsity(progress, start, final) -> float

progress in (0, 1] is the share of the steps done with this one; sparsity(1, start, final) is final. start
and final are sparsities, start < final.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from ..registry import find, names_in

WRITTEN = {"one_shot": "one-shot"}


def schedules() -> list[str]:
    """The names that prune_iteratively takes as its schedule, sorted."""
    return names_in(sys.modules[__name__])


def find_schedule(name: str) -> Callable[[float, float, float], float]:
    """The sparsity function of the schedule of that name."""
    return find(sys.modules[__name__], "schedule", name).sparsity
