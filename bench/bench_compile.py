"""How long compiling takes and how much memory, for networks of many equal layers and for one huge layer.

    python bench/bench_compile.py [--layers 120,1920] [--identity 18]

Each line is a process of its own: layers of 1024 x 1024 with 32 weights a row, every one with weights of
its own order, compiled with the default tuning into an empty cache and then from the cache; then the
identity of 2^18 rows. Times in seconds; memory in MB: the peak of the process, what it held before
compiling (Python, the model and its copy in the core), the packed weights, and how many times these the
compiling took at its peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import scipy.sparse

import sparsenn as snn
from sparsenn import _core
from sparsenn.bridge import to_core

WIDTH, WEIGHTS_A_ROW, PATTERNS = 1024, 32, 8
HEADINGS = (
    "network                     run    seconds  peak MB  before  packed  times  problems tuned  cached"
)


def peak_mb() -> float:
    """The peak of this process so far; ru_maxrss is in KB on Linux, in bytes on macOS."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def many_layers(count: int) -> snn.Model:
    """count layers with ReLU, of eight patterns in turn: equal to the tuner, not to the eye."""
    rng = np.random.default_rng(0)
    gap = WIDTH // WEIGHTS_A_ROW
    pairs = []
    for _ in range(PATTERNS):
        columns = rng.integers(0, gap, (WIDTH, WEIGHTS_A_ROW)) + gap * np.arange(WEIGHTS_A_ROW)
        starts = np.arange(0, columns.size + 1, WEIGHTS_A_ROW)
        data = rng.standard_normal(columns.size, np.float32)
        weight = scipy.sparse.csr_array((data, columns.ravel(), starts), shape=(WIDTH, WIDTH))
        pairs.append([snn.Linear(weight), snn.ReLU()])
    return snn.Model([layer for i in range(count) for layer in pairs[i % PATTERNS]])


def identity(bits: int) -> snn.Model:
    """One layer, the identity of 2^bits rows."""
    return snn.Model([snn.Linear(scipy.sparse.eye_array(2**bits, dtype=np.float32, format="csr"))])


def packed_mb(report: dict) -> float:
    """Bytes of the packings; two of a layer are told apart by their sizes."""
    layers = [layer for layer in report["layers"] if "choices" in layer]
    sizes = [{choice["chosen"]["bytes"] for choice in layer["choices"]} for layer in layers]
    return sum(map(sum, sizes)) / 2**20


def measure(name: str, folder: str) -> None:
    """Compiles one network in this process and prints its line."""
    kind, number = name.split(":")
    handle = to_core({"layers": many_layers, "identity": identity}[kind](int(number)))
    before = peak_mb()
    start = time.perf_counter()
    plan = _core.Plan(handle, cache_path=folder.encode())
    seconds, peak = time.perf_counter() - start, peak_mb()
    report = json.loads(plan.report())
    packed, problems = packed_mb(report), report["problems"]
    counts = f"{problems['tuned']:7d} of {problems['count']}"
    print(
        f"{seconds:9.3f} {peak:8.0f} {before:7.0f} {packed:7.0f} {(peak - before) / packed:6.2f}  "
        f"{counts:>14s}  {'yes' if report['cached'] else 'no'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", default="120,1920")
    parser.add_argument("--identity", type=int, default=18, help="two to the power of that many rows")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    print(HEADINGS)
    for name in [*(f"layers:{count}" for count in options.layers.split(",")), f"identity:{options.identity}"]:
        with tempfile.TemporaryDirectory() as folder:
            for run in ("first", "again"):
                print(f"{name:26s}  {run}", end="", flush=True)
                subprocess.run([sys.executable, __file__, "--measure", name, folder], check=True)


if __name__ == "__main__":
    main()
