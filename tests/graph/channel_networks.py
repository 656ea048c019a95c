"""Small convolutional networks in the manner of known ones, for the tests of channels: input x, output y."""

from __future__ import annotations

import numpy as np
from conv_networks import conv, model_of

import sparsenn as snn


class Maker:
    """Layers of random weights, each of its own seed, scaled so that values neither grow nor vanish."""

    def __init__(self, seed: int = 0):
        self._seed = seed

    def conv(self, x, outputs: int, size: int, **options):
        self._seed += 1
        groups = options.get("groups", 1)
        layer = conv(outputs, x.dims[1] // groups, size, size, seed=self._seed, **options)
        values = layer.weight.data if layer.sparse else layer.weight
        values /= np.float32(size * np.sqrt(x.dims[1] / groups))
        return layer(x)

    def linear(self, x, outputs: int):
        self._seed += 1
        rng = np.random.default_rng(self._seed)
        weight = rng.standard_normal((outputs, x.dims[1])) / np.sqrt(x.dims[1])
        return snn.Linear(weight, rng.standard_normal(outputs))(x)


def mean(x):
    return snn.Flatten()(snn.AvgPool2d(x.dims[2:])(x))


def resnet(x, make: Maker | None = None, widths=(8, 16)):
    """Two blocks a width, the first of a width with a stride and a convolution beside it."""
    make, relu = make or Maker(), snn.ReLU()
    h = snn.MaxPool2d(3, 2, 1)(relu(make.conv(x, widths[0], 3, stride=1, padding=1)))
    for width in widths:
        for stride in (1 if width == h.dims[1] else 2, 1):
            inner = relu(make.conv(h, width, 3, stride=stride, padding=1))
            inner = make.conv(inner, width, 3, padding=1)
            alike = stride == 1 and width == h.dims[1]
            h = relu(snn.Add()(inner, h if alike else make.conv(h, width, 1, stride=stride)))
    return make.linear(mean(h), 5)


def mobilenet(x, make: Maker | None = None):
    """Inverted residuals: 1 x 1 wider, depthwise, 1 x 1 narrower, added to what came in."""
    make, relu6 = make or Maker(), snn.ClippedReLU()
    h = relu6(make.conv(x, 8, 3, stride=2, padding=1))
    for width, stride, wider in ((6, 1, 1), (10, 2, 4), (10, 1, 4), (12, 2, 3)):
        inside = h.dims[1] * wider
        inner = relu6(make.conv(h, inside, 1)) if wider > 1 else h
        inner = relu6(make.conv(inner, inside, 3, stride=stride, padding=1, groups=inside))
        inner = make.conv(inner, width, 1)
        h = snn.Add()(inner, h) if stride == 1 and width == h.dims[1] else inner
    return make.linear(mean(relu6(make.conv(h, 24, 1))), 5)


def dense(x, make: Maker | None = None):
    """Each layer reads all that came before it; the end is flattened."""
    make = make or Maker()
    h = snn.SiLU()(make.conv(x, 6, 3, padding=1))
    for _ in range(3):
        h = snn.Concat(axis=1)(h, snn.SiLU()(make.conv(h, 4, 3, padding=1)))
    h = snn.AvgPool2d(2)(make.conv(h, 7, 1))
    return make.linear(snn.ReLU()(make.linear(snn.Flatten()(h), 9)), 5)


def shuffle(x, make: Maker | None = None):
    """Channels split in two, one half through groups and a shuffle, as ShuffleNet."""
    make = make or Maker()
    h = snn.ReLU()(make.conv(x, 12, 3, padding=1))
    kept, other = snn.Split((6, 6))(h)
    other = snn.ReLU()(make.conv(other, 6, 3, padding=1, groups=3))
    h = snn.Concat(axis=1)(kept, other)
    height, width = h.dims[2:]
    h = snn.Transpose((2, 1, 3, 4))(snn.Reshape((2, 6, height, width))(h))
    h = snn.Reshape((12, height, width))(h)
    return make.linear(mean(make.conv(h, 9, 1)), 5)


def gated(x, make: Maker | None = None):
    """Channels scaled by what two small layers make of their means, as squeeze and excitation."""
    make = make or Maker()
    h = snn.SiLU()(make.conv(x, 8, 3, padding=1, stride=2))
    gate = snn.SiLU()(make.linear(mean(h), 4))
    gate = snn.Reshape((8, 1, 1))(snn.Sigmoid()(make.linear(gate, 8)))
    h = snn.Mul()(h, gate)
    h = snn.Add()(snn.Mul()(h, np.linspace(1, 2, 8, dtype=np.float32).reshape(8, 1, 1)), h)
    return make.linear(mean(snn.SiLU()(make.conv(h, 9, 1))), 5)


def decoder(x, make: Maker | None = None):
    """Features that become channels again; several outputs in one."""
    make = make or Maker()
    h = snn.ReLU()(make.linear(mean(snn.ReLU()(make.conv(x, 6, 3))), 40))
    h = make.conv(snn.Reshape((10, 2, 2))(h), 8, 2, padding=1)
    h = snn.Concat(axis=2)(h, snn.Tanh()(h))
    return make.conv(snn.ReLU()(h), 3, 1)


NETWORKS = {
    build.__name__: model_of((3, 12, 10), build)
    for build in (resnet, mobilenet, dense, shuffle, gated, decoder)
}
