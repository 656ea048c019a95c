"""How long compiled models take: medians over short bursts in turn, so that drift hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from ..bench.timing import BURST_SECONDS, ROUNDS, WARM_SECONDS, Times, interleave
from ..checks import check_integer
from ..compile import compile
from ..model import Model


def measure_latency(
    models: Mapping[str, Model], X, *, batch_size: int, threads: int | None = None, rounds: int = ROUNDS
) -> dict[str, Times]:
    """Times of one call of each model's compiled plan with batch_size samples, in µs.

    models      by any name
    X           (n, inputs): the samples, repeated or cut to the batch
    batch_size  samples of a call;  threads  None: the default of compile
    """
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    rounds = check_integer("rounds", rounds, minimum=1)
    bursts = {
        name: _burst(compile(model, threads=threads, batch_sizes=(batch_size,)), X, batch_size)
        for name, model in models.items()
    }
    return interleave(bursts, rounds=rounds, keep=tuple(bursts))


def _burst(plan, X, batch_size: int) -> Callable[[], tuple[float, float]]:
    """A function that runs plan for a short while -> mean and fastest time of a call, µs."""
    x = np.ascontiguousarray(np.resize(X, (batch_size, plan.inputs)), np.float32)
    out = np.empty((batch_size, plan.outputs), np.float32)

    def burst() -> tuple[float, float]:
        _repeat(plan, x, out, WARM_SECONDS)
        times = _repeat(plan, x, out, BURST_SECONDS)
        return 1e6 * sum(times) / len(times), 1e6 * min(times)

    return burst


def _repeat(plan, x: np.ndarray, out: np.ndarray, seconds: float) -> list[float]:
    """Seconds of each call, until they add up to so much."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        plan.run(x, out)
        times.append(time.perf_counter() - start)
    return times
