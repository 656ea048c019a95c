"""Recurrent layers, pruned, beside the libraries that are installed, and their training steps: every aim.

    python bench/bench_recurrent.py --deepsparse-python deepsparse/bin/python --starts 3
    python bench/bench_recurrent.py --kind GRU --batch 1 --threads 2 --no-training

Layers of random weights, one behind the other, each matrix pruned by magnitude to the same share. Every
library has a process of its own, and they take turns. At the end stands which aims were reached: how many
times as fast as the best of the others, by the fastest calls of each. Needs onnx; training steps need torch.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import bench_train_recurrent as training
import beside_peers
import numpy as np
from recurrent_builder import GATES, Layers

import sparsenn as snn
from sparsenn.bench import report, runner
from sparsenn.bench.baselines import LIBRARY
from sparsenn.bench.jobs import Variant
from sparsenn.cli.bench import parse_counts

# By batch and sparsity: so many times as fast as the best of the others.
AIMS = {(1, 0.8): 2.0, (1, 0.9): 3.0, (1, 0.95): 5.0, (16, 0.8): 1.5, (16, 0.9): 2.0, (16, 0.95): 3.0}
TRAINING_AIM, TRAINING_BATCH, TRAINING_SPARSITY = 2.5, 32, 0.9


class Network:
    """Layers as the runner of cells takes networks."""

    batches = None

    def __init__(self, layers: Layers):
        self.layers, self.name = layers, f"{layers.kind} {layers.layers} x {layers.hidden}"

    def variants(self, sparsities: list[float], mask: str) -> Iterator[Variant]:
        for sparsity in sparsities:
            shape = (None, self.layers.steps, self.layers.inputs)
            model = snn.from_onnx(self.layers.proto(sparsity), input_shapes={"x": shape})
            yield Variant(
                sparsity=sparsity,
                mask="magnitude",
                nnz=model.nnz,
                job=lambda batch, m=model, s=sparsity: self.job(m, s, batch),
                network=True,
            )

    def job(self, model: snn.Model, sparsity: float, batch: int) -> beside_peers.ProtoJob:
        shape = (batch, self.layers.steps, self.layers.inputs)
        x = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
        proto = self.layers.proto(sparsity, batch, self.layers.steps).SerializeToString()
        return beside_peers.ProtoJob(model, proto, {"x": x})


@dataclass(frozen=True)
class Aim:
    """what was to be so many times as fast (wanted), what was found, and beside whom."""

    what: str
    wanted: float
    found: float
    beside: str

    def row(self) -> str:
        reached = "yes" if self.found >= self.wanted else "no"
        return f"| {self.what} | {self.wanted:.1f} | {self.found:.2f} | {self.beside} | {reached} |"


def aims_of(cells: list[runner.Cell]) -> Iterator[Aim]:
    for cell in cells:
        least = {name: times.minimum_us for name, times in cell.times.items()}
        ours = least.pop(LIBRARY, None)
        wanted = AIMS.get((cell.batch, round(cell.sparsity, 4)))
        if ours and least and wanted:
            best = min(least, key=least.get)
            what = f"{cell.network}, batch {cell.batch}, {cell.sparsity:.0%}, {threads_of(cell.threads)}"
            yield Aim(what, wanted, least[best] / ours, f"{best}, {least[best] / 1e3:.2f} ms")


def training_aims(args: argparse.Namespace, kinds: list[str]) -> Iterator[Aim]:
    sizes = argparse.Namespace(**vars(args))
    sizes.batch = TRAINING_BATCH
    for kind in kinds:
        for threads in parse_counts("--threads", args.threads):
            times = training.measure(kind, sizes, [TRAINING_SPARSITY], threads, args.rounds)
            dense, ours = times.min(axis=0)
            what = (
                f"{kind} training step, batch {sizes.batch}, {TRAINING_SPARSITY:.0%}, {threads_of(threads)}"
            )
            yield Aim(what, TRAINING_AIM, dense / ours, f"torch, dense, {1e3 * dense:.0f} ms")


def threads_of(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", default="LSTM,GRU", help=f"of {', '.join(GATES)} (default: %(default)s)")
    training.add_sizes(parser)
    beside_peers.add_options(parser, batch="1,16")
    parser.add_argument("--no-training", action="store_true", help="no training steps")
    args = parser.parse_args()
    kinds = args.kind.split(",")
    layers = [Layers(kind, args.layers, args.inputs, args.hidden, args.steps) for kind in kinds]
    cells, runs = beside_peers.run(args, [Network(each) for each in layers])
    print(report.as_text(cells, runs))
    aims = [*aims_of(cells), *([] if args.no_training else training_aims(args, kinds))]
    print("\n| aim | times as fast, wanted | found | beside | reached |\n|---|---|---|---|---|")
    for aim in aims:
        print(aim.row())


if __name__ == "__main__":
    main()
