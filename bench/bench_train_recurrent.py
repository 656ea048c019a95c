"""Training steps of recurrent networks, pruned, beside PyTorch's of the dense ones, in turn in one process.

    python bench/bench_train_recurrent.py --kind LSTM --batch 32 --threads=1

Layers one behind the other and a linear layer of the last step: forward, gradients of every weight and Adam's
update. Ours are sparse from the start, each matrix to the same share. Needs torch.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from bench_train import torch_step
from in_turn import in_turn

import sparsenn as snn

BUILDERS = {"LSTM": snn.lstm, "GRU": snn.gru, "RNN": snn.rnn}
CLASSES = 10


class Network(torch.nn.Module):
    def __init__(self, kind: str, layers: int, inputs: int, hidden: int):
        super().__init__()
        self.layers = getattr(torch.nn, kind)(inputs, hidden, layers, batch_first=True)
        self.last = torch.nn.Linear(hidden, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.layers(x)[0][:, -1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=BUILDERS, default="LSTM", help="default: %(default)s")
    for name, value in (("layers", 2), ("inputs", 128), ("hidden", 512), ("steps", 100), ("batch", 32)):
        parser.add_argument(f"--{name}", type=int, default=value, help="default: %(default)s")
    parser.add_argument("--sparsity", default="0,80,90,95", metavar="PERCENT", help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((args.batch, args.steps, args.inputs), dtype=np.float32)
    y = rng.integers(0, CLASSES, args.batch)
    other = torch_step(Network(args.kind, args.layers, args.inputs, args.hidden), x, y)
    sizes = [args.inputs, *[args.hidden] * args.layers, CLASSES]
    print("| zeros | ms, the least | times as fast, by the least | by the median |")
    print("|---|---|---|---|")
    for percent in args.sparsity.split(","):
        options = {"sparsity": float(percent) / 100, "pattern": "random", "steps": args.steps}
        trainer = snn.Trainer(BUILDERS[args.kind](sizes, **options), threads=args.threads)
        ours, theirs = in_turn(lambda trainer=trainer: trainer.step(x, y), other, args.rounds)
        least, median = theirs.min() / ours.min(), np.median(theirs) / np.median(ours)
        print(f"| {percent} % | {1e3 * ours.min():.1f} | {least:.2f} | {median:.2f} |", flush=True)


if __name__ == "__main__":
    main()
