"""Writes the convolutional networks that are measured as ONNX files, random weights; for `sparsenn bench`.

    python bench/make_networks.py FOLDER [resnet18 resnet50 mobilenetv2 detector conv1d]

Needs numpy and onnx.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx
from onnx_builder import Network

RESIDUAL = 0.25  # scale of what is added to a skip connection: without normalisation sums would grow


def resnet(counts: tuple[int, ...], *, bottleneck: bool, size: int) -> onnx.ModelProto:
    """Source: He et al. 2016, arXiv:1512.03385; the stride of a bottleneck on its 3 x 3 convolution."""
    net = Network("resnet", 3, size, size)
    x = net.max_pool(net.relu(net.convolution("x", 64, 7, 2)), 3, 2)
    for stage, count in enumerate(counts):
        inner, outer = 64 << stage, (256 if bottleneck else 64) << stage
        for index in range(count):
            stride = 2 if stage and not index else 1
            skip = x if net.channels[x] == outer else net.convolution(x, outer, 1, stride)
            if bottleneck:
                x = net.relu(net.convolution(x, inner, 1))
                x = net.relu(net.convolution(x, inner, 3, stride))
                x = net.convolution(x, outer, 1, scale=RESIDUAL)
            else:
                x = net.relu(net.convolution(x, inner, 3, stride))
                x = net.convolution(x, inner, 3, scale=RESIDUAL)
            x = net.relu(net.add(x, skip))
    return net.finish(net.linear(net.global_average(x), 1000))


def mobilenetv2(size: int) -> onnx.ModelProto:
    """Source: Sandler et al. 2018, arXiv:1801.04381, width 1."""
    net = Network("mobilenetv2", 3, size, size)
    x = net.relu6(net.convolution("x", 32, 3, 2))
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2))
    for expansion, channels, count, first in (*rows, (6, 320, 1, 1)):
        for index in range(count):
            start, stride, inner = x, 1 if index else first, expansion * net.channels[x]
            if expansion > 1:
                x = net.relu6(net.convolution(x, inner, 1))
            x = net.relu6(net.convolution(x, inner, 3, stride, groups=inner))
            kept = stride == 1 and net.channels[start] == channels
            x = net.convolution(x, channels, 1, scale=RESIDUAL if kept else 1.0)
            x = net.add(start, x) if kept else x
    x = net.relu6(net.convolution(x, 1280, 1))
    return net.finish(net.linear(net.global_average(x), 1000))


def detector(size: int) -> onnx.ModelProto:
    """3 x 3 convolutions with SiLU down to a 32nd of the size, and up again by concat: heads at 8 and 16."""
    net = Network("detector", 3, size, size)

    def block(x: str, channels: int, stride: int = 1) -> str:
        return net.silu(net.convolution(x, channels, 3, stride))

    def stage(x: str, channels: int) -> str:
        x = block(x, channels, 2)
        half = block(x, channels // 2)
        return net.concat(half, block(half, channels // 2))

    x = stage(block("x", 32, 2), 64)
    eighth = stage(x, 128)
    sixteenth = stage(eighth, 256)
    deepest = block(stage(sixteenth, 512), 256)
    middle = block(net.concat(net.upsample(deepest), sixteenth), 256)
    fine = block(net.concat(net.upsample(block(middle, 128)), eighth), 128)
    return net.finish(*(net.convolution(value, 85, 1) for value in (fine, middle, deepest)))


def conv1d(size: int) -> onnx.ModelProto:
    """Convolutions in one dimension, kernels 9 to 3, as for audio or sensors."""
    net = Network("conv1d", 1, size)
    x = "x"
    for channels, kernel, stride in ((64, 9, 4), (64, 9, 1), (128, 7, 4), (128, 7, 1), (256, 5, 4),
                                     (256, 5, 1), (512, 3, 4), (512, 3, 1)):  # fmt: skip
        x = net.relu(net.convolution(x, channels, kernel, stride))
    return net.finish(net.linear(net.global_average(x), 10))


NETWORKS = {
    "resnet18": (lambda size: resnet((2, 2, 2, 2), bottleneck=False, size=size), 224),
    "resnet50": (lambda size: resnet((3, 4, 6, 3), bottleneck=True, size=size), 224),
    "mobilenetv2": (mobilenetv2, 224),
    "detector": (detector, 320),
    "conv1d": (conv1d, 16_000),
}


def build(name: str, size: int | None = None) -> onnx.ModelProto:
    """A network for images, or samples, of a size; None: of its own."""
    make, own = NETWORKS[name]
    return make(own if size is None else size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("networks", nargs="*", metavar="network", help=", ".join(NETWORKS))
    options = parser.parse_args()
    unknown = set(options.networks) - set(NETWORKS)
    if unknown:
        parser.error(f"network must be one of {', '.join(NETWORKS)}, got {unknown.pop()!r}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.networks or NETWORKS:
        path = options.folder / f"{name}.onnx"
        path.write_bytes(build(name).SerializeToString())
        print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
