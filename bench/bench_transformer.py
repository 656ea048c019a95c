"""Encoders with pruned linear layers beside the libraries that are installed, as `sparsenn bench` does it.

    python bench/bench_transformer.py --network bert-base-2,minilm-6 --sparsity 80,90,95 --batch 1,16,64

Random weights, every weight of the blocks pruned by magnitude. Peers get the file as torch's exporter writes
it, for the shapes at hand; PyTorch runs what sparsenn.to_torch makes of the model. Needs onnx.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from encoder_builder import NAMES, SHAPES, Encoder

import sparsenn as snn
from sparsenn.bench import baselines, report, runner
from sparsenn.bench.jobs import NetworkJob, Variant, exact_outputs
from sparsenn.cli._json import json_text
from sparsenn.cli.bench import labels, parse_counts, parse_numbers, show_cell
from sparsenn.file_replace import replace_file

CHECKED = 2  # samples that are compared with float64


class EncoderJob(NetworkJob):
    """A model, and the file that peers are given in place of what would be exported of it."""

    def __init__(self, model: snn.Model, encoder: Encoder, inputs: dict[str, np.ndarray]):
        super().__init__(model, inputs)
        self.encoder = encoder

    def write(self, folder: Path) -> dict[str, str]:
        paths = {"safetensors": str(folder / "network.safetensors"), "onnx": str(folder / "network.onnx")}
        paths["inputs"] = str(folder / "inputs.npz")
        np.savez(paths["inputs"], **self.inputs)
        snn.save(self.model, paths["safetensors"])
        proto = self.encoder.proto(*self.inputs[NAMES[0]].shape)
        replace_file(paths["onnx"], proto.SerializeToString())
        return paths

    def check(self, name: str, outputs: list[np.ndarray]) -> None:
        first = {key: array[:CHECKED] for key, array in self.inputs.items()}
        self._exact = self._exact or exact_outputs(self.model, first)
        super().check(name, outputs)


class Network:
    """An encoder as the runner of cells takes networks."""

    batches = None

    def __init__(self, name: str, tokens: int, padding: float):
        self.name, self.tokens, self.padding = name, tokens, padding

    def variants(self, sparsities: list[float], mask: str) -> Iterator[Variant]:
        for sparsity in sparsities:
            encoder = Encoder(SHAPES[self.name], sparsity)
            shapes = dict.fromkeys(NAMES, (None, self.tokens))
            model = snn.from_onnx(encoder.proto(), input_shapes=shapes)
            yield Variant(
                sparsity=sparsity,
                mask="magnitude",
                nnz=model.nnz,
                job=lambda batch, m=model, e=encoder: EncoderJob(m, e, self.inputs(batch)),
                network=True,
            )

    def inputs(self, batch: int) -> dict[str, np.ndarray]:
        """Ids, and masks of sequences that are on average as much shorter as padding says."""
        rng = np.random.default_rng(1)
        ids = rng.integers(0, SHAPES[self.name].words, (batch, self.tokens))
        least = max(1, round(self.tokens * (1 - 2 * self.padding)))
        lengths = rng.integers(least, self.tokens + 1, (batch, 1)) if self.padding else self.tokens
        return dict(zip(NAMES, (ids, (np.arange(self.tokens) < lengths) + np.zeros_like(ids)), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="bert-base-2,minilm-6", help=f"of {', '.join(SHAPES)}")
    parser.add_argument("--tokens", type=int, default=128, help="default: %(default)s")
    parser.add_argument("--padding", type=float, default=0.0, help="share of tokens (default: none)")
    parser.add_argument("--sparsity", default="80,90,95", help="per cent (default: %(default)s)")
    parser.add_argument("--batch", default="1,16,64", help="default: %(default)s")
    parser.add_argument("--threads", default=str(report.machine()["threads"]), help="default: %(default)s")
    parser.add_argument("--baseline", help="baselines to run (default: every one that can)")
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    parser.add_argument("--deepsparse-python", metavar="PATH", help="an interpreter with DeepSparse and onnx")
    parser.add_argument("--starts", type=int, default=1, help="of DeepSparse (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write everything measured there")
    args = parser.parse_args()
    networks = [Network(name, args.tokens, args.padding) for name in args.network.split(",")]
    sparsities = [percent / 100 for percent in parse_numbers("--sparsity", args.sparsity)]
    wanted = baselines.select(args.baseline and args.baseline.split(","))
    peers = [name for name in wanted if name in baselines.network_names()]
    pythons = {"deepsparse": args.deepsparse_python} if args.deepsparse_python else {}
    cells, runs = [], []
    for threads in parse_counts("--threads", args.threads):
        with runner.Workers(labels(peers, args.starts), threads, pythons) as workers:
            cells += runner.run_cells(
                workers,
                networks,
                sparsities=sparsities,
                batches=parse_counts("--batch", args.batch),
                rounds=args.rounds,
                progress=show_cell,
            )
        runs.append(workers)
    if args.json:
        replace_file(args.json, json_text(report.as_data(cells, runs, vars(args)), indent=1) + "\n")
    print(report.as_text(cells, runs))


if __name__ == "__main__":
    main()
