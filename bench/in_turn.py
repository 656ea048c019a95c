"""Two calls timed in turn, so that a disturbance hits both."""

from __future__ import annotations

import time

import numpy as np


def in_turn(first, second, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each of so many calls of both, one after the other."""
    times = np.empty((rounds, 2))
    first(), second()
    for row in times:
        for index, call in enumerate((first, second)):
            start = time.perf_counter()
            call()
            row[index] = time.perf_counter() - start
    return times[:, 0], times[:, 1]
