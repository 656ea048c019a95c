"""How long compiled models take: medians over short bursts in turn, so that drift hits all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..bench.baselines.stopwatch import Burst, Stopwatch
from ..bench.timing import BURST_SECONDS, ROUNDS, WARM_SECONDS, Times, measure
from ..checks import check_integer
from ..compile import compile
from ..model import Model


def measure_latency(
    models: Mapping[str, Model], X, *, batch_size: int, threads: int | None = None, rounds: int = ROUNDS
) -> dict[str, Times]:
    """Times of one call of each model's compiled plan with batch_size samples, in µs.

    models      by any name
    X           (n, ...): the samples, repeated or cut to the batch
    batch_size  samples of a call;  threads  None: the default of compile

    Where something else held the plans up they are measured again, three times in all; what stays disturbed
    says so.
    """
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    rounds = check_integer("rounds", rounds, minimum=1)
    bursts = {
        name: _burst(compile(model, threads=threads, batch_sizes=(batch_size,)), X, batch_size)
        for name, model in models.items()
    }
    return measure(bursts, rounds=rounds, keep=tuple(bursts))


def _burst(plan, X, batch_size: int) -> Callable[[], Burst]:
    """A function that runs plan for a short while."""
    x = np.ascontiguousarray(np.resize(X, (batch_size, *np.shape(X)[1:])), np.float32)
    y = plan.run(x)
    out = y if x.ndim == y.ndim == 2 else None  # a plan of images takes none
    watch = Stopwatch(plan.threads)
    return lambda: watch.burst(lambda: plan.run(x, out), seconds=BURST_SECONDS, warm=WARM_SECONDS)
