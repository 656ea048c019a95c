"""One training step (forward, loss, backward, Adam) against PyTorch dense and SparseProp.

    python bench/bench_train.py [--threads=2] [--sparsity 90,95] [--batch 128,256] [--json FILE]

All but the last layer of the network are pruned at random. Losses and gradients are compared with those of
PyTorch in float64 before anything is timed, and so is SparseProp's loss. Runners take turns of a few steps,
each while the threads of the others sleep; a ratio is the median over the rounds of (other / sparsenn) in the
same round. PyTorch's Adam is the faster of its default and its fused form.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import sys
import time
from pathlib import Path

THREADS = next((a.split("=")[1] for a in sys.argv if a.startswith("--threads=")), "2")
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = THREADS

import numpy as np  # noqa: E402
import scipy.sparse  # noqa: E402
import torch  # noqa: E402

import sparsenn as snn  # noqa: E402
from sparsenn.bench import timing  # noqa: E402
from sparsenn.bench.baselines.stopwatch import Burst, Stopwatch  # noqa: E402
from sparsenn.bench.timing import MARK, Times, shown  # noqa: E402

EPS = float(np.finfo(np.float32).eps)
IDLE_SECONDS = 0.02  # before a burst: lets the threads of the runner before go to sleep


def make_model(sizes: list[int], sparsity: float) -> snn.Model:
    """Random weights, all but the last layer pruned at random."""
    layers = []
    dense = snn.mlp(sizes, seed=1)
    generator = np.random.default_rng(2)
    for index, layer in enumerate(dense.linear_layers):
        weight = layer.weight
        if index < len(sizes) - 2:
            weight = scipy.sparse.csr_array(weight * (generator.random(weight.shape) >= sparsity))
        layers.append(snn.Linear(weight, layer.bias))
        if index < len(sizes) - 2:
            layers.append(snn.ReLU())
    return snn.Model(layers)


def to_torch(model: snn.Model) -> torch.nn.Sequential:
    """The same network with dense weights."""
    modules = []
    for layer in model.layers:
        if isinstance(layer, snn.Linear):
            module = torch.nn.Linear(layer.shape[1], layer.shape[0])
            weight = layer.weight.toarray() if layer.sparse else layer.weight
            with torch.no_grad():
                module.weight.copy_(torch.from_numpy(weight))
                module.bias.copy_(torch.from_numpy(layer.bias))
            modules.append(module)
        else:
            modules.append(torch.nn.ReLU())
    return torch.nn.Sequential(*modules)


def torch_step(module, x, y, **adam):
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-4, **adam)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(module(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def sparseprop_step(model, x, y):
    """SparseProp's layers for the sparse ones; None, with the reason on stderr, where it is not installed."""
    try:
        from sparseprop.modules import SparseLinear
    except ImportError as error:
        print(f"sparseprop is missing: {error}", file=sys.stderr)
        return None
    modules = list(to_torch(model))
    for index, (module, layer) in enumerate(zip(modules, model.layers, strict=True)):
        if isinstance(layer, snn.Linear) and layer.sparse:
            modules[index] = SparseLinear(module.weight.data, bias=module.bias)
    return torch_step(torch.nn.Sequential(*modules), x, y)


def check(model: snn.Model, x, y) -> float:
    """The largest relative error of loss and gradients against PyTorch in float64; exits when too large."""
    module = to_torch(model).double()
    loss = torch.nn.functional.cross_entropy(module(torch.from_numpy(x).double()), torch.from_numpy(y))
    loss.backward()
    trainer = snn.Trainer(model.copy(), optimizer="sgd", learning_rate=1e-30)
    got = trainer.step(x, y)
    errors = [abs(got - loss.item()) / loss.item()]
    wanted = [p.grad.numpy() for p in module.parameters()]
    for parameter, gradient in zip(trainer.network.parameters, wanted, strict=True):
        layer = model.layers[int(parameter.name.split(".")[0])]
        if parameter.is_weight and layer.sparse:
            at = layer.weight.tocoo()
            gradient = gradient[at.row, at.col]
        errors.append(np.abs(parameter.gradient - gradient).max() / np.abs(gradient).max())
    # float32 with sums of at most 2048 terms, three layers deep: rounding grows like the root of the terms
    if max(errors) > 16 * 2048**0.5 * EPS:
        raise SystemExit(f"gradients differ from PyTorch's by {max(errors):.2g}: nothing was timed")
    return max(errors)


def measure(runners: dict, threads: int, rounds: int, burst: int) -> dict[str, Times]:
    """The best step of each burst, by runner; the runners take turns, and again where they were held up."""
    watch = Stopwatch(threads)
    bursts = {}
    for name, step in runners.items():
        step()
        step()
        bursts[name] = functools.partial(
            best_step, watch, step, 1e-6 * burst * watch.burst(step, seconds=0, warm=0).mean_us
        )
    return timing.measure(bursts, rounds=rounds, keep=tuple(runners))


def best_step(watch: Stopwatch, step, seconds: float) -> Burst:
    """A burst that counts with its fastest step, after a pause in which the others' threads fall asleep."""
    time.sleep(IDLE_SECONDS)
    found = watch.burst(step, seconds=seconds, warm=0)
    return dataclasses.replace(found, mean_us=found.fastest_us)


def gain(times: dict[str, Times], ratio: dict, name: str) -> str:
    """How many times faster than that runner, as text: MARK where one of the two is not believed."""
    if name not in times:
        return "-"
    return MARK if times[name].disturbed or times["sparsenn"].disturbed else f"{ratio[name]:.2f}"


def time_steps(runners: dict, arguments, tolerance: float) -> tuple[dict[str, Times], dict]:
    """Times, and paired ratios to sparsenn's; exits where the first losses differ by more than tolerance."""
    losses = {name: float(step()) for name, step in runners.items()}
    if max(losses.values()) - min(losses.values()) > tolerance * losses["sparsenn"]:
        raise SystemExit(f"the first losses differ, nothing was timed: {losses}")
    times = measure(runners, int(arguments.threads), arguments.rounds, arguments.burst)
    return times, {name: timing.ratio(entry, times["sparsenn"])["paired"] for name, entry in times.items()}


def as_result(
    sparsity: float, batch: int, error: float, times: dict[str, Times], ratio: dict, dense: str
) -> dict:
    return {
        "sparsity": sparsity,
        "batch": batch,
        "largest_relative_error": float(error),
        "us": {name: entry.as_dict() | {"rounds_us": entry.rounds_us} for name, entry in times.items()},
        "ratio": ratio,
        "dense": dense,
    }


def measure_cell(sizes: list[int], sparsity: float, batch: int, arguments) -> dict:
    """Checks, times and prints one sparsity at one batch."""
    generator = np.random.default_rng(3)
    x = generator.random((batch, sizes[0]), np.float32)
    y = generator.integers(0, sizes[-1], batch)
    model = make_model(sizes, sparsity)
    error = check(model, x, y)
    trainer = snn.Trainer(model.copy(), learning_rate=1e-4, threads=int(arguments.threads))
    runners = {
        "sparsenn": lambda: trainer.step(x, y),
        "torch": torch_step(to_torch(model), x, y),
        "torch_fused": torch_step(to_torch(model), x, y, fused=True),
        "sparseprop": sparseprop_step(model, x, y),
    }
    runners = {name: step for name, step in runners.items() if step}
    times, ratio = time_steps(runners, arguments, 1e-4)
    dense = min(("torch", "torch_fused"), key=lambda name: times[name].minimum_us)
    peer = times.get("sparseprop")
    print(
        f"{100 * sparsity:7g}% {batch:5d} {shown(times['sparsenn'], 0):>9} {shown(times[dense], 0):>5} "
        f"{shown(peer, 0):>10}   {gain(times, ratio, dense):>14} {gain(times, ratio, 'sparseprop'):>19}",
        flush=True,
    )
    return as_result(sparsity, batch, error, times, ratio, dense)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="784-2048-2048-10")
    parser.add_argument("--sparsity", default="90,95", help="per cent, comma-separated")
    parser.add_argument("--batch", default="128,256")
    parser.add_argument("--threads", default="2", help="write it as --threads=N")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--burst", type=int, default=4, help="steps a turn, the best of which counts")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(int(arguments.threads))
    sizes = [int(size) for size in arguments.sizes.split("-")]
    print(f"µs a step of {arguments.sizes}, {arguments.threads} threads, {snn.cpu_info()['isa']}")
    print("sparsity batch  sparsenn torch sparseprop   torch/sparsenn sparseprop/sparsenn")
    print(f"µs: median over the bursts of their best step; {MARK}: {timing.NOT_BELIEVED}")
    results = [
        measure_cell(sizes, float(sparsity) / 100, int(batch), arguments)
        for sparsity in arguments.sparsity.split(",")
        for batch in arguments.batch.split(",")
    ]
    if arguments.json:
        machine = {"cpu": snn.cpu_info(), "torch": torch.__version__, "load": os.getloadavg()}
        arguments.json.write_text(
            json.dumps({"machine": machine, "results": results}, indent=1), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
