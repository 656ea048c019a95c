"""Penalties on the weights (biases are left alone). Of a sparse layer only stored weights count.

A penalty enters a step in one of three places: as a term of the gradient (l2, and l1 as a sub-gradient), as a
proximal step behind the optimizer's (l1, mcp), both within the core's one pass, or as a pass of its own over
whole neurons (group lasso). A proximal step solves min_v P(v) + |v - w|^2 / (2 learning_rate), so that small
weights become exactly zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..checks import check_flag, check_real
from ..errors import ArgumentError


@dataclass(frozen=True)
class Penalties:
    """The penalties of a run; all strengths at least 0, and 0 for none.

    l2             l2 / 2 sum w^2
    l1             l1 sum |w|
    mcp            the minimax concave penalty: mcp |w| - w^2 / (2 concavity) up to |w| = concavity * mcp,
                   constant beyond: large weights are not shrunk (Zhang 2010, doi:10.1214/09-AOS729)
    mcp_concavity  above the learning rate, else the proximal step is not defined
    group_lasso    sum over neurons of sqrt(n) |w of the neuron|, n its stored weights (Yuan and Lin 2006)
    l1_proximal    False: l1 as a sub-gradient, whose zeros are not exact; for comparison
    """

    l2: float = 0.0
    l1: float = 0.0
    mcp: float = 0.0
    mcp_concavity: float = 3.0
    group_lasso: float = 0.0
    l1_proximal: bool = True

    def __post_init__(self):
        for name in ("l2", "l1", "mcp", "group_lasso"):
            check_real(name, getattr(self, name))
        check_real("mcp_concavity", self.mcp_concavity, open_minimum=True)
        check_flag("l1_proximal", self.l1_proximal)
        if self.l1 and self.mcp and self.l1_proximal:
            raise ArgumentError(f"l1 and mcp must not both be given, got {self.l1:g} and {self.mcp:g}")

    def options(self, learning_rate: float) -> dict:
        """The keyword arguments of a _core.Update for weights."""
        options = {"l2": self.l2}
        if self.l1 and not self.l1_proximal:
            options["l1_slope"] = self.l1
        elif self.l1:
            options.update(penalty="l1", penalty_strength=self.l1)
        if self.mcp:
            if self.mcp_concavity <= learning_rate:
                raise ArgumentError(
                    f"mcp_concavity must be above the learning rate {learning_rate:g}, "
                    f"got {self.mcp_concavity:g}"
                )
            options.update(penalty="mcp", penalty_strength=self.mcp, penalty_concavity=self.mcp_concavity)
        return options

    def shrink_groups(self, values: np.ndarray, rows: np.ndarray, learning_rate: float) -> bool:
        """The proximal step of group_lasso, in place; whether there was one.

        values (size,) float32; rows (neurons + 1,) where each neuron begins
        """
        if not self.group_lasso or not values.size:
            return False
        counts = np.diff(rows)
        norms = np.sqrt(_row_sums(np.square(values, dtype=np.float64), rows))
        limits = learning_rate * self.group_lasso * np.sqrt(counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            factors = np.where(norms > limits, 1 - limits / norms, 0)
        values *= np.repeat(factors, counts).astype(values.dtype)
        values += 0  # -0 becomes 0
        return True

    def value(self, values: np.ndarray, rows: np.ndarray) -> float:
        """What the penalties add to the objective for one weight; values (size,), rows as above."""
        w = np.abs(np.asarray(values, np.float64))
        total = 0.5 * self.l2 * float(np.square(w).sum()) + self.l1 * float(w.sum())
        if self.mcp:
            inner = self.mcp * w - w * w / (2 * self.mcp_concavity)
            outer = 0.5 * self.mcp_concavity * self.mcp**2
            total += float(np.where(w <= self.mcp_concavity * self.mcp, inner, outer).sum())
        if self.group_lasso:
            norms = np.sqrt(_row_sums(np.square(w), rows) * np.diff(rows))
            total += self.group_lasso * math.fsum(norms)
        return total


def _row_sums(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Sums of values[rows[i]:rows[i + 1]]; 0 for an empty row."""
    sums = np.zeros(len(rows) - 1)
    filled = np.flatnonzero(np.diff(rows))
    if filled.size:
        sums[filled] = np.add.reduceat(values, rows[filled])
    return sums
