"""Interleaved timing in short bursts, what is made of the rounds, and whether that is to be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from .baselines.stopwatch import Burst

ROUNDS = 15
BURST_SECONDS = 0.005
WARM_SECONDS = 0.01  # before each burst: caches fill, threads wake and find a core each
SLOW_ROUNDS = 3  # rounds that a runner gets which is out of the race
SLOW_FACTOR = 4.0  # out of the race: slower than this many times the best
ATTEMPTS = 3  # how often disturbed rounds are measured, all of them anew
MOST_SPREAD = 0.25  # interquartile range of the rounds over their median, above which they are not believed
MOST_ABOVE_FASTEST = 2.0  # median over the fastest call, likewise
SPREAD_ROUNDS = 4  # of fewer rounds the spread says nothing
MARK = "?"  # stands where a figure would that is not believed
NOT_BELIEVED = f"measured {ATTEMPTS} times and disturbed each time; try again when nothing else runs"


@dataclass
class Times:
    """What the bursts of one runner took, in µs.

    rounds_us   mean time of a call in each round, NaN in rounds without this runner
    minimum_us  the fastest single call
    variant     which of its ways the runner took, where it has several
    peak_gflops GFLOP/s of multiply-adds in the registers of one core, where the runner tells
    multiply_adds  of one sample on stored weights, likewise
    held_up     numbers of the rounds in which its threads waited for a core
    """

    rounds_us: list[float] = field(default_factory=list)
    minimum_us: float = float("inf")
    variant: str | None = None
    peak_gflops: float | None = None
    multiply_adds: int | None = None
    held_up: set[int] = field(default_factory=set)

    @property
    def rounds(self) -> int:
        return int(np.count_nonzero(~np.isnan(self.rounds_us)))

    @property
    def mostly_held_up(self) -> bool:
        return 2 * len(self.held_up) > self.rounds

    def believed_us(self) -> np.ndarray:
        """rounds_us (rounds,) float64, NaN also in rounds that were held up, unless most of them were."""
        found = np.array(self.rounds_us, np.float64)
        if not self.mostly_held_up:
            found[list(self.held_up)] = np.nan
        return found

    @property
    def median_us(self) -> float:
        return float(np.nanmedian(self.believed_us()))

    @property
    def spread_us(self) -> float:
        """Interquartile range."""
        low, high = np.nanpercentile(self.believed_us(), [25, 75])
        return float(high - low)

    @property
    def doubt(self) -> str:
        """Why the median is not to be believed; empty when it is."""
        median = self.median_us
        if self.mostly_held_up:
            return f"its threads waited for a core in {len(self.held_up)} of {self.rounds} rounds"
        if not (median > 0 and self.minimum_us > 0):
            return "the clock is too coarse for it"
        if isfinite(self.minimum_us) and median > MOST_ABOVE_FASTEST * self.minimum_us:
            return f"its median is {median / self.minimum_us:.3g} times its fastest call"
        if self.rounds >= SPREAD_ROUNDS and self.spread_us > MOST_SPREAD * median:
            return f"its rounds differ by {self.spread_us / median:.0%} of their median"
        return ""

    @property
    def disturbed(self) -> bool:
        return bool(self.doubt)

    def as_dict(self) -> dict:
        return {
            "median_us": self.median_us,
            "minimum_us": self.minimum_us,
            "spread_us": self.spread_us,
            "rounds": self.rounds,
            "disturbed": self.disturbed,
            **({"doubt": self.doubt} if self.disturbed else {}),
            **({"variant": self.variant} if self.variant else {}),
            **({"peak_gflops": self.peak_gflops} if self.peak_gflops else {}),
            **({"multiply_adds": self.multiply_adds} if self.multiply_adds else {}),
        }


def measure(
    bursts: Mapping[str, Callable[[], Burst]],
    *,
    rounds: int = ROUNDS,
    keep: tuple[str, ...] = (),
    attempts: int = ATTEMPTS,
) -> dict[str, Times]:
    """The rounds of interleave; measured again, and the least doubtful taken, where some are disturbed."""
    best: dict[str, Times] = {}
    for attempt in range(attempts):
        times = interleave(bursts, rounds=rounds, keep=keep)
        if attempt == 0 or len(doubtful(times, keep)) < len(doubtful(best, keep)):
            best = times
        if not doubtful(best, keep):
            break
    return best


def doubtful(times: Mapping[str, Times], keep: tuple[str, ...] = ()) -> list[str]:
    """The disturbed ones that matter: those in keep, and those that may be the fastest of the others."""
    rivals = [entry for name, entry in times.items() if name not in keep]
    best = min((entry.median_us for entry in rivals if not entry.disturbed), default=float("inf"))
    return [
        name
        for name, entry in times.items()
        if entry.disturbed and (name in keep or entry.mostly_held_up or entry.minimum_us < best)
    ]


def interleave(
    bursts: Mapping[str, Callable[[], Burst]], *, rounds: int = ROUNDS, keep: tuple[str, ...] = ()
) -> dict[str, Times]:
    """Calls every burst once a round, starting each round with another one, so that drift hits all alike.

    bursts  by the runner's name
    keep    runners that are timed in every round however slow they are
    """
    times = {name: Times() for name in bursts}
    names = list(bursts)
    for number in range(rounds):
        if number == SLOW_ROUNDS:
            best = min(times[name].minimum_us for name in bursts)
            names = [n for n in names if n in keep or times[n].minimum_us <= SLOW_FACTOR * best]
        turn = number % len(names)
        measured = {name: bursts[name]() for name in names[turn:] + names[:turn]}
        for name, entry in times.items():
            burst = measured.get(name, Burst(float("nan"), float("inf")))
            entry.rounds_us.append(burst.mean_us)
            entry.minimum_us = min(entry.minimum_us, burst.fastest_us)
            if burst.held_up:
                entry.held_up.add(number)
    return times


def ratio(slower: Times, faster: Times) -> dict | None:
    """How many times faster: of the medians, and the median of the rounds' own ratios; None without times."""
    if not faster.median_us > 0:
        return None
    pairs = slower.believed_us() / faster.believed_us()
    paired = float(np.nanmedian(pairs)) if np.isfinite(pairs).any() else None
    return {"of_medians": slower.median_us / faster.median_us, "paired": paired}


def shown(times: Times | None, digits: int = 1, us: float = 1.0) -> str:
    """The median as text, in so many µs: MARK where it is not believed, a dash where there is none."""
    return "-" if times is None else MARK if times.disturbed else f"{times.median_us / us:.{digits}f}"
