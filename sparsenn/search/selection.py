"""The candidates of select_sparsity, the rule that chooses among them, and what comes out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from ..errors import ArgumentError
from ..model import Model


@dataclass
class Candidate:
    """One sparsity, 0 for the dense network.

    scores         of each fold's held-out samples: accuracy, or R^2 for a regression
    mean, std      of the scores; std is that of the folds (n - 1)
    drop           mean of the dense scores less mean
    latency_us     median time of one compiled call; latency_min_us the fastest
    disturbed      something else held up every measurement of it: latency_us is at most an upper limit
    meets_drop, meets_latency   whether it stays within max_drop and max_latency_us
    """

    sparsity: float
    scores: list[float]
    latency_us: float
    latency_min_us: float
    disturbed: bool = False
    drop: float = 0.0
    meets_drop: bool = True
    meets_latency: bool = True
    mean: float = field(init=False)
    std: float = field(init=False)

    def __post_init__(self):
        self.mean = float(np.mean(self.scores))
        self.std = float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else 0.0


@dataclass
class SparsitySelection:
    """What select_sparsity found.

    sparsity      the choice; reason says why in one sentence
    dense         the dense network;  candidates  the sparsities tried, in ascending order
    metric        "accuracy" or "R^2"
    model         trained on all of X, y and pruned to the choice; None without refit
    latency_us    measured median of that model; disturbed: not to be believed, as that of a candidate
    """

    sparsity: float
    reason: str
    dense: Candidate
    candidates: list[Candidate]
    metric: str
    batch_size: int
    max_drop: float
    max_latency_us: float | None
    model: Model | None = None
    latency_us: float | None = None
    disturbed: bool = False

    def to_dict(self) -> dict:
        """Everything but the model as plain data, fit for json.dumps."""
        return {
            name: asdict(value) if isinstance(value, Candidate) else value
            for name, value in vars(self).items()
            if name not in ("model", "candidates")
        } | {"candidates": [asdict(candidate) for candidate in self.candidates]}


def choose(rows, max_drop, max_latency_us, metric) -> list[Candidate]:
    """What meets both limits: the dense network last, else the sparsest first. ArgumentError for nothing."""
    fast = [row for row in rows if row.meets_latency]
    if not fast:
        believed = [row for row in rows if not row.disturbed]
        problem = "nothing was timed that can be believed: the machine was busy"
        if believed:
            best = min(believed, key=lambda row: row.latency_us)
            problem = f"the fastest, at sparsity {best.sparsity:g}, takes {best.latency_us:.1f} us"
        untimed = ", ".join(f"{row.sparsity:g}" for row in rows if row.disturbed)
        if believed and untimed:
            problem += f" (sparsity {untimed} could not be timed: the machine was busy)"
        raise ArgumentError(f"max_latency_us is met by no candidate: got {max_latency_us:g}, and {problem}")
    good = [row for row in fast if row.meets_drop]
    if not good:
        best = max(fast, key=lambda row: row.mean)
        raise ArgumentError(
            f"max_drop and max_latency_us are met by no candidate together: got {max_drop:g} and "
            f"{max_latency_us:g}; the best that is fast enough, at sparsity {best.sparsity:g}, drops the "
            f"{metric} by {best.drop:.4f}"
        )
    return sorted(good, key=lambda row: -row.sparsity)


def reason_for(choice: Candidate, rows, max_drop, max_latency_us, metric) -> str:
    """In one sentence why that candidate was chosen."""
    shown = "at most " * choice.disturbed + f"{choice.latency_us:.1f}"
    budget = "" if max_latency_us is None else f" and {shown} of {max_latency_us:g} us"
    figures = f"{metric} {choice.mean:.4f}, {choice.drop:+.4f} below dense of {max_drop:g} allowed{budget}"
    if choice.sparsity == 0:
        return f"no candidate stays within max_drop={max_drop:g}: the dense network ({figures})"
    sparser = [row for row in rows if row.sparsity > choice.sparsity]
    if not sparser:
        return f"the sparsest candidate meets every limit ({figures})"
    limits = " or ".join(
        name
        for name, failed in (
            ("drops too far", any(not row.meets_drop for row in sparser)),
            ("is too slow", any(not row.meets_latency and not row.disturbed for row in sparser)),
            ("could not be timed", any(not row.meets_latency and row.disturbed for row in sparser)),
        )
        if failed
    )
    return f"the sparsest candidate that meets every limit ({figures}); what is sparser {limits}"
