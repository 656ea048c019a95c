"""Whether the tuner finds the same plan beside a busy process: the worst of many plans against the best.

    python bench/bench_tuning.py [1024-4096-1024] [--sparsity 80] [--batch 4] [--plans 30] [--isa avx2]

The network is compiled --plans times without the cache while another process keeps one core busy, and some
times more without it. Then all plans run in turn, undisturbed if the machine is, and their medians are
compared. A line for each set of choices: how many plans made it beside the busy process and without it, and
the fastest and slowest median. The last line is the worst plan that was made beside the busy process over
the best plan.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from bench_busy import busy_process

import sparsenn as snn

WARM_RUNS, TIMED_RUNS = 2, 6  # of one plan in a round: the weights of the others were in the caches


def choices_of(plan: snn.Plan, batch: int) -> str:
    """The kernels of the tiles that the batch is wide enough for, layer by layer."""
    layers = [layer for layer in plan.report()["layers"] if "choices" in layer]
    return "  ".join(
        "+".join(
            f"{c['chosen']['kernel']}:{c['chosen']['k_block']}"
            for c in layer["choices"]
            if c["samples"] <= batch
        )
        for layer in layers
    )


def medians(plans: list[snn.Plan], x: np.ndarray, rounds: int) -> np.ndarray:
    """-> (plans,) median time of a run in us, all plans in turn."""
    out = np.empty((len(x), plans[0].outputs), np.float32)
    times = np.empty((rounds, len(plans)))
    for number in range(rounds):
        for index in np.roll(np.arange(len(plans)), number):
            for _ in range(WARM_RUNS):
                plans[index].run(x, out)
            runs = []
            for _ in range(TIMED_RUNS):
                start = time.perf_counter()
                plans[index].run(x, out)
                runs.append(time.perf_counter() - start)
            times[number, index] = 1e6 * min(runs)
    return np.median(times, axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("widths", nargs="?", default="1024-4096-1024")
    parser.add_argument("--sparsity", type=float, default=80, help="percent")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plans", type=int, default=30)
    parser.add_argument("--quiet-plans", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--isa")
    options = parser.parse_args()
    widths = [int(width) for width in options.widths.split("-")]
    model = snn.mlp(widths, sparsity=options.sparsity / 100, seed=0)

    def compiled() -> snn.Plan:
        return snn.compile(
            model, threads=options.threads, batch_sizes=(options.batch,), cache=False, isa=options.isa
        )

    quiet = [compiled() for _ in range(options.quiet_plans)]
    with busy_process(None):
        busy = [compiled() for _ in range(options.plans)]
    x = np.random.default_rng(0).standard_normal((options.batch, widths[0]), np.float32)
    times = medians(busy + quiet, x, options.rounds)
    names = [choices_of(plan, options.batch) for plan in busy + quiet]
    print(" busy  quiet  fastest us  slowest us  choices")
    for name in sorted(set(names), key=names.index):
        mine = np.array([other == name for other in names])
        beside = int(mine[: len(busy)].sum())
        least, most = times[mine].min(), times[mine].max()
        print(f"{beside:5d}  {mine.sum() - beside:5d}  {least:10.1f}  {most:10.1f}  {name}")
    worst = times[: len(busy)].max()
    print(
        f"worst beside a busy process over best: {worst:.1f} / {times.min():.1f} = {worst / times.min():.3f}"
    )


if __name__ == "__main__":
    main()
