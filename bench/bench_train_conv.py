"""One training step (forward, loss, backward, Adam) of a convolutional network against PyTorch dense.

    python bench/bench_train_conv.py [--threads=2] [--sparsity 0,90,95] [--batch 64] [--no-norm] [--json FILE]

The network is ResNet-18 for 32 x 32 images: a 3 x 3 convolution, four stages of two residual blocks of 64,
128, 256 and 512 channels, the mean of each channel and a linear layer; every convolution is followed by batch
normalisation by the statistics of the batch, with --no-norm by a bias alone. All but the first convolution
and the last layer are pruned at random. Loss and gradients are compared with PyTorch's in float64 before
anything is timed. Runners take turns of a few steps, each while the threads of the others sleep; a ratio is
the median over the rounds of (torch / sparsenn) in the same round.
PyTorch's Adam is the faster of its default and its fused form; channels_last is timed beside its own layout.
SparseProp, where it is installed (pip install --no-deps sparseprop, and scipy), has its SparseConv2d wherever
its own timing finds that faster than the dense layer.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
from pathlib import Path

THREADS = next((a.split("=")[1] for a in sys.argv if a.startswith("--threads=")), "2")
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = THREADS

import numpy as np  # noqa: E402
import scipy.sparse  # noqa: E402
import torch  # noqa: E402
from bench_train import as_result, gain, time_steps, torch_step  # noqa: E402

import sparsenn as snn  # noqa: E402
from sparsenn.bench import timing  # noqa: E402
from sparsenn.bench.timing import MARK, shown  # noqa: E402

EPS = float(np.finfo(np.float32).eps)
SIZE, CLASSES = 32, 10


class Builder:
    """Layers with random weights, of a variance that keeps activations at their size."""

    def __init__(self, sparsity: float, norm: bool):
        self.sparsity, self.norm, self.generator = sparsity, norm, np.random.default_rng(1)

    def weight(self, rows: int, columns: int, sparsity: float, scale: float = 1.0):
        kept = self.generator.random((rows, columns)) >= sparsity
        weight = self.generator.standard_normal((rows, columns), np.float32) * kept
        weight *= np.float32(scale * (2 / (columns * (1 - sparsity))) ** 0.5)
        return scipy.sparse.csr_array(weight) if sparsity else weight

    def conv(self, x, outputs: int, kernel: int, *, stride=1, sparsity=None, scale=1.0):
        sparsity = self.sparsity if sparsity is None else sparsity
        weight = self.weight(outputs, x.dims[1] * kernel**2, sparsity, scale)
        bias = None if self.norm else np.zeros(outputs)
        h = snn.Conv2d(weight, bias, kernel_size=kernel, stride=stride, padding=kernel // 2)(x)
        return snn.BatchNorm(np.full(outputs, scale))(h) if self.norm else h

    def block(self, x, outputs: int, stride: int):
        h = snn.ReLU()(self.conv(x, outputs, 3, stride=stride))
        h = self.conv(h, outputs, 3, scale=0.3)
        if stride > 1:
            x = self.conv(x, outputs, 1, stride=stride, scale=0.7)
        return snn.ReLU()(snn.Add()(h, x))


def resnet18(sparsity: float, *, norm: bool, widths=(64, 128, 256, 512)) -> snn.Model:
    build = Builder(sparsity, norm)
    x = snn.Input((3, SIZE, SIZE), name="x")
    h = snn.ReLU()(build.conv(x, widths[0], 3, sparsity=0.0))
    for stage, width in enumerate(widths):
        h = build.block(h, width, 2 if stage else 1)
        h = build.block(h, width, 1)
    h = snn.Flatten()(snn.AvgPool2d(h.dims[2])(h))
    h = snn.Linear(build.weight(CLASSES, widths[-1], 0.0), np.zeros(CLASSES))(h)
    return snn.Model(inputs=x, outputs=h)


def check(model: snn.Model, x, y) -> float:
    """The largest relative error of loss and gradients against PyTorch in float64; exits when too large."""
    module = snn.to_torch(model).double().train()
    loss = torch.nn.functional.cross_entropy(module(torch.from_numpy(x).double()), torch.from_numpy(y))
    loss.backward()
    trainer = snn.Trainer(model.copy(), optimizer="sgd", learning_rate=1e-30)
    errors = [abs(trainer.step(x, y) - loss.item()) / loss.item()]
    weights = [p for p in module.parameters() if p.ndim > 1]
    for step, weight in zip(trainer.network.linear_steps, weights, strict=True):
        gradient = weight.grad.numpy().reshape(step.layer.shape)
        if step.layer.sparse:
            at = step.layer.weight.tocoo()
            gradient = gradient[at.row, at.col]
        errors.append(np.abs(step.weight_parameter.gradient - gradient).max() / np.abs(gradient).max())
    if max(errors) > 1e-3:
        raise SystemExit(f"gradients differ from PyTorch's by {max(errors):.2g}: nothing was timed")
    return max(errors)


def sparseprop_step(model: snn.Model, x, y):
    """None, with the reason on stderr, where it is not installed or nothing is pruned."""
    try:
        from sparseprop.utils import swap_modules_with_sparse
    except ImportError as error:
        print(f"sparseprop is missing: {error}", file=sys.stderr)
        return None
    if not any(layer.sparse for layer in model.linear_layers):
        return None
    with contextlib.redirect_stdout(io.StringIO()):
        module = swap_modules_with_sparse(snn.to_torch(model), x.shape)
    return torch_step(module.train(), x, y, fused=True)


def beside(times: dict, ratio: dict) -> str:
    """What SparseProp took, where it ran."""
    if "sparseprop" not in times:
        return ""
    return f"   sparseprop {shown(times['sparseprop'], 0)}, {gain(times, ratio, 'sparseprop')} of sparsenn"


def measure_cell(sparsity: float, batch: int, arguments) -> dict:
    """Checks, times and prints one sparsity at one batch."""
    generator = np.random.default_rng(3)
    x = generator.standard_normal((batch, 3, SIZE, SIZE), np.float32)
    y = generator.integers(0, CLASSES, batch)
    model = resnet18(sparsity, norm=arguments.norm)
    error = check(model, x[:4], y[:4])
    trainer = snn.Trainer(model.copy(), learning_rate=1e-4, threads=int(arguments.threads))
    last = snn.to_torch(model).train().to(memory_format=torch.channels_last)
    runners = {
        "sparsenn": lambda: trainer.step(x, y),
        "torch": torch_step(snn.to_torch(model).train(), x, y),
        "torch_fused": torch_step(snn.to_torch(model).train(), x, y, fused=True),
        "torch_channels_last": torch_step(last, x, y, fused=True),
        "sparseprop": sparseprop_step(model, x, y),
    }
    runners = {name: step for name, step in runners.items() if step}
    times, ratio = time_steps(runners, arguments, 1e-3)
    dense = min((name for name in times if name.startswith("torch")), key=lambda name: times[name].minimum_us)
    print(
        f"{100 * sparsity:7g}% {batch:5d} {shown(times['sparsenn'], 0):>10} {shown(times[dense], 0):>10}   "
        f"{gain(times, ratio, dense):>14}   {dense}" + beside(times, ratio),
        flush=True,
    )
    return as_result(sparsity, batch, error, times, ratio, dense)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sparsity", default="90", help="per cent, comma-separated")
    parser.add_argument("--batch", default="64")
    parser.add_argument("--no-norm", dest="norm", action="store_false", help="no batch normalisation")
    parser.add_argument("--threads", default="2", help="write it as --threads=N")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--burst", type=int, default=1, help="steps a turn, the best of which counts")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(int(arguments.threads))
    print(f"µs a step of ResNet-18 at {SIZE} x {SIZE}, {arguments.threads} threads, {snn.cpu_info()['isa']}")
    print("sparsity batch   sparsenn      torch   torch/sparsenn   fastest of torch")
    print(f"µs: median over the bursts of their best step; {MARK}: {timing.NOT_BELIEVED}")
    results = [
        measure_cell(float(sparsity) / 100, int(batch), arguments)
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
