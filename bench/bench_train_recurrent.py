"""Training steps of recurrent networks, pruned, beside PyTorch's of the dense ones, in turn.

    python bench/bench_train_recurrent.py --kind LSTM --batch 32 --threads=1

Layers one behind the other and a linear layer of the last step: forward, gradients of every weight and Adam's
update. Ours are sparse from the start, each matrix to the same share. Each has a process of its own. Needs
torch.
"""

from __future__ import annotations

import argparse

import numpy as np
from step_process import TimedProcess, by_turns

CLASSES = 10
KINDS = ("LSTM", "GRU", "RNN")


def batch_of(sizes: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((sizes.batch, sizes.steps, sizes.inputs), dtype=np.float32)
    return x, rng.integers(0, CLASSES, sizes.batch)


def make_ours(kind: str, sizes: argparse.Namespace, sparsity: float, threads: int):
    import sparsenn as snn

    builder = {"LSTM": snn.lstm, "GRU": snn.gru, "RNN": snn.rnn}[kind]
    features = [sizes.inputs, *[sizes.hidden] * sizes.layers, CLASSES]
    model = builder(features, sparsity=sparsity, pattern="random", steps=sizes.steps)
    trainer = snn.Trainer(model, threads=threads, batch_size=sizes.batch)
    x, y = batch_of(sizes)
    return lambda: trainer.step(x, y)


def make_torch(kind: str, sizes: argparse.Namespace, threads: int):
    import torch
    from bench_train import torch_step

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = getattr(torch.nn, kind)(sizes.inputs, sizes.hidden, sizes.layers, batch_first=True)
            self.last = torch.nn.Linear(sizes.hidden, CLASSES)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.layers(x)[0][:, -1])

    torch.set_num_threads(threads)
    return torch_step(Network(), *batch_of(sizes))


def measure(kind: str, sizes: argparse.Namespace, sparsities: list[float], threads: int, rounds: int):
    """(rounds, 1 + len(sparsities)) seconds of a step: torch's dense one, and ours at each sparsity."""
    processes = [TimedProcess(threads, make_torch, kind, sizes, threads)]
    processes += [TimedProcess(threads, make_ours, kind, sizes, part, threads) for part in sparsities]
    try:
        return by_turns(processes, rounds)
    finally:
        for process in processes:
            process.close()


def add_sizes(parser: argparse.ArgumentParser) -> None:
    for name, value in (("layers", 2), ("inputs", 128), ("hidden", 512), ("steps", 100)):
        parser.add_argument(f"--{name}", type=int, default=value, help="default: %(default)s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=KINDS, default="LSTM", help="default: %(default)s")
    add_sizes(parser)
    parser.add_argument("--batch", type=int, default=32, help="default: %(default)s")
    parser.add_argument("--sparsity", default="0,80,90,95", metavar="PERCENT", help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    args = parser.parse_args()
    percents = args.sparsity.split(",")
    times = measure(
        args.kind, args, [float(percent) / 100 for percent in percents], args.threads, args.rounds
    )
    least, median = 1e3 * times.min(axis=0), 1e3 * np.median(times, axis=0)
    print(f"torch, dense: {least[0]:.1f} ms, the least; {median[0]:.1f}, the median")
    print("| zeros | ms, the least | times as fast, by the least | by the median |")
    print("|---|---|---|---|")
    for at, percent in enumerate(percents, 1):
        print(
            f"| {percent} % | {least[at]:.1f} | {least[0] / least[at]:.2f} | {median[0] / median[at]:.2f} |"
        )


if __name__ == "__main__":
    main()
