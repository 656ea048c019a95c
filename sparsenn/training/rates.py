"""Learning rates that change with the epoch. A schedule is a function of the epoch, counted from 0, with
its fraction: 1.5 is the middle of the second epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..checks import check_integer, check_real


@dataclass(frozen=True)
class Schedule:
    """rate, after a rise in a straight line over the first warmup epochs.

    rate    at most this, positive
    warmup  epochs (a fraction is fine); 0: none
    """

    rate: float
    warmup: float = 0.0

    def __post_init__(self):
        check_real("rate", self.rate, open_minimum=True)
        check_real("warmup", self.warmup)

    def __call__(self, epoch: float) -> float:
        """The learning rate at that epoch; above 0 also where a warm-up begins."""
        rise = min(1.0, (epoch + 1e-3) / (self.warmup + 1e-3)) if self.warmup else 1.0
        return rise * self.rate * self.factor(epoch)

    def factor(self, epoch: float) -> float:
        """What the schedule makes of rate, in (0, 1]."""
        return 1.0


@dataclass(frozen=True)
class Constant(Schedule):
    """Always rate, but for the warm-up."""


@dataclass(frozen=True)
class StepDecay(Schedule):
    """rate, multiplied by decay after every so many epochs."""

    every: int = 10
    decay: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        check_integer("every", self.every, minimum=1)
        check_real("decay", self.decay, open_minimum=True, below=1.0)

    def factor(self, epoch: float) -> float:
        return self.decay ** math.floor(epoch / self.every)


@dataclass(frozen=True)
class Cosine(Schedule):
    """From rate down to floor * rate over so many epochs, along half a cosine (Loshchilov, Hutter 2017)."""

    epochs: int = 20
    floor: float = 0.01

    def __post_init__(self):
        super().__post_init__()
        check_integer("epochs", self.epochs, minimum=1)
        check_real("floor", self.floor, open_minimum=True, below=1.0)

    def factor(self, epoch: float) -> float:
        done = min(1.0, epoch / self.epochs)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))
