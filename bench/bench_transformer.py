"""Encoders with pruned linear layers beside the libraries that are installed, as `sparsenn bench` does it.

    python bench/bench_transformer.py --network bert-base-2,minilm-6 --sparsity 80,90,95 --batch 1,16,64

Random weights, every weight of the blocks pruned by magnitude. Peers get the file as torch's exporter writes
it, for the shapes at hand; PyTorch runs what sparsenn.to_torch makes of the model. Needs onnx.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import beside_peers
import numpy as np
from encoder_builder import NAMES, SHAPES, Encoder

import sparsenn as snn
from sparsenn.bench import report
from sparsenn.bench.jobs import Variant


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
                job=lambda batch, m=model, e=encoder: self.job(m, e, batch),
                network=True,
            )

    def job(self, model: snn.Model, encoder: Encoder, batch: int) -> beside_peers.ProtoJob:
        proto = encoder.proto(batch, self.tokens).SerializeToString()
        return beside_peers.ProtoJob(model, proto, self.inputs(batch))

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
    beside_peers.add_options(parser, batch="1,16,64")
    args = parser.parse_args()
    networks = [Network(name, args.tokens, args.padding) for name in args.network.split(",")]
    cells, runs = beside_peers.run(args, networks)
    print(report.as_text(cells, runs))


if __name__ == "__main__":
    main()
