"""What pruning of channels saves: weights, multiply-adds and time of networks from ONNX files.

    python bench/make_networks.py networks resnet18 mobilenetv2
    python bench/bench_channels.py networks/*.onnx --sparsity 25,50,75

Each layer loses the same share of its channels, by magnitude; accuracy is not looked at.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

import sparsenn as snn
from sparsenn.search.latency import measure_latency


def multiply_adds(model: snn.Model) -> int:
    """Of one sample, of stored weights."""
    return sum(
        node.layer.nnz * math.prod(node.output.dims[2:])
        for node in model.nodes
        if isinstance(node.layer, (snn.Linear, snn.Conv2d))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.onnx")
    parser.add_argument("--sparsity", default="25,50,75", metavar="PERCENT", help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--threads", type=int, help="default: that of sparsenn info")
    args = parser.parse_args()
    print("| network | channels gone | weights | multiply-adds | ms a call | times as fast |")
    print("|---|---|---|---|---|---|")
    for path in args.models:
        models = {"0": snn.from_onnx(path)}
        for percent in args.sparsity.split(","):
            models[percent] = snn.prune(
                models["0"], structure="channel", sparsity=float(percent) / 100, scope="layer"
            )
        (value,) = models["0"].input_values
        x = np.random.default_rng(0).standard_normal((args.batch, *value.dims[1:]), dtype=np.float32)
        times = measure_latency(models, x, batch_size=args.batch, threads=args.threads)
        dense = times["0"].minimum_us
        for percent, model in models.items():
            own = times[percent].minimum_us
            print(
                f"| {path.stem} | {percent} % | {model.nnz / 1e6:.2f} M | {multiply_adds(model) / 1e9:.3f} G "
                f"| {own / 1e3:.1f} | {dense / own:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
