"""Two builds of the core in one process, taken in turn: what a change costs, cell by cell.

    python bench/bench_versions.py --before FOLDER [--networks mlp bert] [--rounds 3] [--plans 3]

FOLDER: another build of sparsenn, as `pip install --no-deps --target FOLDER .` makes it from another
commit. Each tunes on its own and makes several plans of a network, since where a plan's memory lies moves a
call of ten microseconds by some percent; a cell's ratio is the time before to the time now, by the medians of
interleaved calls, of the middle plan of each, and above 1 where it got faster. Prints each cell as the middle
of the rounds, their geometric mean and the worst. With --threads 1 the clock is the thread's processor time,
which stands still while another process has the core.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse

from sparsenn import _core

BATCHES = (1, 4, 16, 64, 256)
SPARSITIES = (0.80, 0.90, 0.95, 0.98)


def load_core(folder: Path):
    """The extension of another build, beside the one that is imported."""
    path = next((folder / "sparsenn").glob("_core*.so"))
    spec = importlib.util.spec_from_file_location("before._core", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_layers(widths, sparsity: float, seed: int) -> list:
    """(shape, indptr, indices, data, bias) of every layer, positions and values at random."""
    rng = np.random.default_rng(seed)
    layers = []
    for columns, rows in zip(widths[:-1], widths[1:], strict=True):
        weight = rng.standard_normal((rows, columns)).astype(np.float32) / np.float32(np.sqrt(columns))
        weight[rng.random(weight.shape) < sparsity] = 0
        csr = scipy.sparse.csr_array(weight)
        arrays = csr.indptr.astype(np.int64), csr.indices.astype(np.int32), csr.data
        layers.append((weight.shape, *arrays, rng.standard_normal(rows).astype(np.float32)))
    return layers


def compile_with(core, layers, threads: int, isa: str | None):
    """A plan of a ReLU network of these layers, made by one of the two cores."""
    model = core.Model(layers[0][0][1])
    for index, layer in enumerate(layers):
        model.add_csr(*layer)
        if index + 1 < len(layers) and hasattr(model, "add_op"):
            model.add_op("relu", np.empty(0, np.float32))
        elif index + 1 < len(layers):
            model.add_activation(1)  # SNN_NODE_RELU
    options = {"isa": None if isa is None else isa.encode()}
    return core.Plan(model, threads=threads, batch_sizes=np.array(BATCHES, np.int64), **options)


def compare(before: list, now: list, x, seconds: float, clock) -> float:
    """Median time of a call before to that now, of the middle plan of each; samples of at least 100 us taken
    in turn."""
    out = np.empty((x.shape[0], now[0].outputs), np.float32)
    calls, taken = 1, 0.0
    while taken < 1e-4:
        calls, start = 2 * calls, clock()
        for _ in range(calls):
            now[0].run(x, out)
        taken = clock() - start
    plans = [plan for pair in zip(before, now, strict=True) for plan in pair]
    times: list[list[float]] = [[] for _ in plans]
    turns = list(zip(plans, times, strict=True))
    end = time.perf_counter() + seconds * len(before)
    while time.perf_counter() < end or len(times[0]) < 7:
        for plan, samples in turns:
            plan.run(x, out)  # warm
            start = clock()
            for _ in range(calls):
                plan.run(x, out)
            samples.append(clock() - start)
        random.shuffle(turns)  # which plan ran before one's own matters too
    medians = [statistics.median(samples) for samples in times]
    return statistics.median(medians[::2]) / statistics.median(medians[1::2])


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="folder of the other build")
    parser.add_argument("--networks", nargs="+", default=["mlp", "bert"], help="files of bench/shapes")
    parser.add_argument("--rounds", type=int, default=3, help="compilations of each; the middle counts")
    parser.add_argument("--plans", type=int, default=3, help="of a network by each build in a round")
    parser.add_argument("--seconds", type=float, default=0.15, help="of calls a cell and pair of plans")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--isa", default=None)
    return parser.parse_args(arguments)


def main(arguments=None) -> int:
    options = parse_arguments(arguments)
    old = load_core(options.before)
    clock = time.thread_time if options.threads == 1 else time.perf_counter
    shapes = Path(__file__).parent / "shapes"
    networks = [
        n for file in options.networks for n in json.loads((shapes / f"{file}.json").read_text())["networks"]
    ]
    cells: dict[tuple, list[float]] = {}
    for seed in range(options.rounds):
        for network in networks:
            for sparsity in SPARSITIES:
                layers = make_layers(network["widths"], sparsity, seed)
                plans = [
                    [compile_with(core, layers, options.threads, options.isa) for _ in range(options.plans)]
                    for core in (old, _core)
                ]
                for batch in BATCHES:
                    x = np.random.default_rng(seed).standard_normal((batch, network["widths"][0]), np.float32)
                    ratio = compare(*plans, x, options.seconds, clock)
                    cells.setdefault((network["name"], sparsity, batch), []).append(ratio)
    middles = {cell: statistics.median(ratios) for cell, ratios in cells.items()}
    for (name, sparsity, batch), ratio in middles.items():
        print(f"{name:28s} {sparsity:5.0%}  batch {batch:4d}  {ratio:6.3f}")
    worst = min(middles, key=middles.get)
    mean = statistics.geometric_mean(middles.values())
    print(f"geometric mean {mean:.3f}, worst {middles[worst]:.3f}: {worst}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
