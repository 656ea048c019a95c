"""Interleaved timing in short bursts, and what is made of the rounds."""

from dataclasses import dataclass, field

import numpy as np

ROUNDS = 15
BURST_SECONDS = 0.005
WARM_SECONDS = 0.01  # before each burst: caches fill, threads wake and find a core each
SLOW_ROUNDS = 3  # rounds that a runner gets which is out of the race
SLOW_FACTOR = 4.0  # out of the race: slower than this many times the best


@dataclass
class Times:
    """What the bursts of one runner took, in µs.

    rounds_us   mean time of a call in each round, NaN in rounds without this runner
    minimum_us  the fastest single call
    variant     which of its ways the runner took, where it has several
    peak_gflops GFLOP/s of multiply-adds in the registers of one core, where the runner tells
    """

    rounds_us: list[float] = field(default_factory=list)
    minimum_us: float = float("inf")
    variant: str | None = None
    peak_gflops: float | None = None

    @property
    def median_us(self) -> float:
        return float(np.nanmedian(self.rounds_us))

    @property
    def spread_us(self) -> float:
        """Interquartile range."""
        low, high = np.nanpercentile(self.rounds_us, [25, 75])
        return float(high - low)

    def as_dict(self) -> dict:
        return {
            "median_us": self.median_us,
            "minimum_us": self.minimum_us,
            "spread_us": self.spread_us,
            "rounds": int(np.count_nonzero(~np.isnan(self.rounds_us))),
            **({"variant": self.variant} if self.variant else {}),
            **({"peak_gflops": self.peak_gflops} if self.peak_gflops else {}),
        }


def interleave(bursts: dict, *, rounds: int = ROUNDS, keep: tuple[str, ...] = ()) -> dict[str, Times]:
    """Calls every burst once a round, starting each round with another one, so that drift hits all alike.

    bursts  runner name -> callable that returns the mean and the fastest time of a call in µs
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
            mean, fastest = measured.get(name, (float("nan"), float("inf")))
            entry.rounds_us.append(mean)
            entry.minimum_us = min(entry.minimum_us, fastest)
    return times


def ratio(slower: Times, faster: Times) -> dict:
    """How many times faster: of the medians, and the median of the rounds' own ratios."""
    pairs = np.array(slower.rounds_us) / np.array(faster.rounds_us)
    return {"of_medians": slower.median_us / faster.median_us, "paired": float(np.nanmedian(pairs))}
