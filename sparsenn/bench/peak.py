"""Rates as a share of the processor's peak."""

from __future__ import annotations

from math import isfinite

TOLERANCE = 1.02  # both figures are measured


def share_of_peak(gflops: float, peak: float) -> float | None:
    """None where it says nothing: no peak, or one that the rate is above, so measured while others ran."""
    if not (peak > 0 and isfinite(peak) and isfinite(gflops) and gflops <= TOLERANCE * peak):
        return None
    return min(1.0, gflops / peak)
