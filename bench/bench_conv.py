"""Convolutional networks against ONNX Runtime and torch, in turn in one process.

    python bench/bench_conv.py [--networks resnet18 resnet50] [--sparsities 0.8 0.9 0.95] [--batches 1 16]

Random weights, pruned layer by layer by magnitude, the first convolution and the classifier dense. The same
pruned weights go to all. Prints the median milliseconds of interleaved calls, the ratio to the faster peer by
the same medians, and the rate on stored weights as a share of the measured peak of all threads. Needs torch,
onnx and onnxruntime.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
import warnings

import numpy as np
import onnxruntime
import torch
from torch import nn

import sparsenn as snn


class Block(nn.Module):
    """A residual block: convolutions of (channels, kernel, stride), each with a normalisation."""

    def __init__(self, inputs: int, parts: list[tuple[int, int, int]]):
        super().__init__()
        layers: list[nn.Module] = []
        width, total = inputs, 1
        for channels, kernel, stride in parts:
            layers += [
                nn.Conv2d(width, channels, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(channels),
            ]
            layers.append(nn.ReLU())
            width, total = channels, total * stride
        self.body = nn.Sequential(*layers[:-1])
        self.skip = nn.Identity()
        if total > 1 or inputs != width:
            self.skip = nn.Sequential(nn.Conv2d(inputs, width, 1, total, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        return torch.relu(self.body(x) + self.skip(x))


def resnet(counts: tuple[int, ...], *, bottleneck: bool) -> nn.Module:
    """Source: He et al. 2016, arXiv:1512.03385; the stride of a bottleneck on its 3 x 3 convolution."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    layers.append(nn.MaxPool2d(3, 2, 1))
    width = 64
    for stage, count in enumerate(counts):
        for index in range(count):
            inner, stride = 64 << stage, 2 if stage and not index else 1
            if bottleneck:
                layers.append(Block(width, [(inner, 1, 1), (inner, 3, stride), (4 * inner, 1, 1)]))
            else:
                layers.append(Block(width, [(inner, 3, stride), (inner, 3, 1)]))
            width = inner * (4 if bottleneck else 1)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 1000))


NETWORKS = {
    "resnet18": lambda: resnet((2, 2, 2, 2), bottleneck=False),
    "resnet50": lambda: resnet((3, 4, 6, 3), bottleneck=True),
}


def prune(module: nn.Module, sparsity: float) -> None:
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    for part in convolutions[1:]:
        weight = part.weight.data
        threshold = weight.abs().flatten().kthvalue(max(1, int(sparsity * weight.numel()))).values
        weight[weight.abs() <= threshold] = 0


def runtime_of(module: nn.Module, x: torch.Tensor, threads: int):
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), file, dynamo=False, opset_version=17, input_names=["x"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    return onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])


def medians(calls: dict, seconds: float) -> dict[str, float]:
    """Milliseconds of each call, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[next(iter(calls))]) < 5:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(taken) for name, taken in times.items()}


def operations(report: dict) -> float:
    """Of one sample: two a stored weight and position."""
    return sum(2 * layer["nnz"] * layer["positions"] for layer in report["layers"] if "choices" in layer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--sparsities", nargs="+", type=float, default=[0.8, 0.9, 0.95])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--threads", type=int, default=snn.cpu_info()["threads"])
    parser.add_argument("--seconds", type=float, default=4.0, help="of calls a line")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("network    sparsity  batch  sparsenn  onnxruntime     torch  ratio  of peak  (ms)")
    for name in options.networks:
        for sparsity in options.sparsities:
            torch.manual_seed(0)
            module = NETWORKS[name]().eval()
            prune(module, sparsity)
            model = snn.from_torch(module, torch.zeros(1, 3, options.size, options.size))
            plan = snn.compile(model, threads=options.threads)
            for batch in options.batches:
                x = torch.randn(batch, 3, options.size, options.size)
                session, array = runtime_of(module, x, options.threads), x.numpy()

                def run_torch(module=module, x=x):
                    with torch.inference_mode():
                        return module(x)

                calls = {
                    "ours": lambda plan=plan, array=array: plan.run(array),
                    "onnxruntime": lambda session=session, array=array: session.run(None, {"x": array}),
                    "torch": run_torch,
                }
                ours, theirs = plan.run(array), session.run(None, {"x": array})[0]
                np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * abs(theirs).max())
                ms = medians(calls, options.seconds)
                report = plan.report()
                rate = operations(report) * batch / ms["ours"] / 1e6
                share = rate / (report["peak_gflops"] * options.threads)
                peer = min(ms["onnxruntime"], ms["torch"])
                print(
                    f"{name:10s} {sparsity:8.0%} {batch:6d} {ms['ours']:9.1f} {ms['onnxruntime']:12.1f} "
                    f"{ms['torch']:9.1f} {peer / ms['ours']:6.2f} {share:8.0%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
