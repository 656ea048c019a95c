"""How long runs take while another process keeps one core busy, against one thread on a free core.

    python bench/bench_busy.py [784-2048-2048-10] [--sparsity 90] [--batch 1,16,64] [--threads 2]

The load is a loop in a process of its own, once pinned to the highest core and once left to the scheduler. A
plan on one thread is timed first, without the load; then one on --threads threads beside it, from its first
run on. Both are compiled without the load. Medians and 99th percentiles in us over all runs, and their ratios
to the median of one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

import sparsenn as snn

SETTLE_SECONDS = 0.3  # until the load runs and has found its core


@contextlib.contextmanager
def busy_process(core: int | None) -> Iterator[None]:
    """One process that computes all the time, on that core alone or where the scheduler puts it."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        time.sleep(SETTLE_SECONDS)
        yield
    finally:
        process.kill()
        process.wait()


def run_times(plan: snn.Plan, x: np.ndarray, seconds: float) -> np.ndarray:
    """-> what each run took, in us, for that many seconds."""
    out = np.empty((len(x), plan.outputs), np.float32)
    times = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        plan.run(x, out)
        times.append(1e6 * (time.perf_counter() - start))
    return np.array(times)


def measure(widths: list[int], sparsity: float, batch: int, threads: int, seconds: float) -> list[list]:
    """-> rows of the table for one batch."""
    model = snn.mlp(widths, sparsity=sparsity, seed=0)
    x = np.random.default_rng(0).standard_normal((batch, widths[0]), np.float32)
    single = snn.compile(model, threads=1, batch_sizes=(batch,), cache=False)
    plans = {core: snn.compile(model, threads=threads, batch_sizes=(batch,), cache=False) for core in CORES}
    single.run(x)
    alone = float(np.median(run_times(single, x, seconds / 2)))
    idle = float(np.median(run_times(plans[None], x, seconds / 2)))
    rows = []
    for core, plan in plans.items():
        with busy_process(core):
            times = run_times(plan, x, seconds)
        middle, high = np.median(times), np.percentile(times, 99)
        load = "anywhere" if core is None else f"core {core}"
        rows.append(
            [batch, load, alone, idle, middle, high, times.max(), len(times), middle / alone, high / alone]
        )
    return rows


CORES = (None, max(os.sched_getaffinity(0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("widths", nargs="?", default="784-2048-2048-10")
    parser.add_argument("--sparsity", type=float, default=90, help="percent")
    parser.add_argument("--batch", default="1,16,64")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    widths = [int(width) for width in options.widths.split("-")]
    print("batch  load       one thread     idle   median      p99      longest    runs  median/one  p99/one")
    for batch in map(int, options.batch.split(",")):
        for row in measure(widths, options.sparsity / 100, batch, options.threads, options.seconds):
            print(
                "{:5d}  {:9s} {:10.1f} {:9.1f} {:8.1f} {:9.1f} {:11.1f} {:7d} {:10.2f} {:9.2f}".format(*row)
            )


if __name__ == "__main__":
    main()
