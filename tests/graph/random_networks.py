"""Random small convolutional networks: x (batch, channels, height, width) -> y (batch, features).

Every op that trains may stand in one; a network of a seed is the same everywhere.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse

import sparsenn as snn

ACTIVATIONS = (
    *(snn.ReLU, snn.ClippedReLU, snn.Tanh, snn.Sigmoid, snn.GELU, snn.ELU, snn.LeakyReLU, snn.SiLU),
    *(snn.HardSigmoid, snn.HardSwish, snn.Softplus, snn.Mish, snn.Abs),
)


def random_network(seed: int) -> tuple[snn.Model, np.ndarray]:
    """The model and 17 samples of x."""
    rng = np.random.default_rng(seed)
    maker = _Maker(rng)
    dims = (
        int(rng.integers(1, 5)),
        1 if rng.random() < 0.2 else int(rng.integers(3, 15)),
        int(rng.integers(3, 15)),
    )
    x = snn.Input(dims, name="x")
    h = maker.convolution(x)
    for _ in range(rng.integers(2, 9)):
        h = maker.step(h)
    y = maker.classifier(h)
    return snn.Model(inputs=x, outputs={"y": y}), rng.standard_normal((17, *dims), dtype=np.float32)


class _Maker:
    """Steps of networks, from value to value; weights of a size that keeps the values' size."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def step(self, h):
        steps = (
            *(self.convolution, self.convolution, self.separable, self.normalised, self.activation),
            *(self.pool, self.padded, self.resized, self.residual, self.branches, self.gate, self.softmax),
            *(self.arithmetic, self.turned, self.prelu),
        )
        return steps[self.rng.integers(len(steps))](h)

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    def convolution(
        self, h, *, outputs: int | None = None, groups: int | None = None, size: int | None = None
    ):
        """Any window that fits; size: of a kernel that keeps height and width."""
        rng, channels = self.rng, h.dims[1]
        if groups is None:
            groups = int(rng.choice([g for g in (1, 1, 1, 2, 3, channels) if channels % g == 0]))
        outputs = outputs or groups * int(rng.integers(1, 1 + max(1, 24 // groups)))
        while True:
            kernel, stride, dilation = rng.integers(1, 6, 2), rng.integers(1, 3, 2), rng.integers(1, 3, 2)
            padding = rng.integers(0, 4, 4)
            if size is not None:
                kernel[:], stride[:], dilation[:], padding[:] = size, 1, 1, size // 2
            reach = dilation * (kernel - 1) + 1
            if (h.dims[2:] + padding[:2] + padding[2:] >= reach).all():
                break
        weight = self.normal(outputs, channels // groups, *kernel)
        weight[rng.random(weight.shape) < rng.choice((0, 0, 0.5, 0.8, 0.9, 0.98))] = 0
        weight /= np.float32(max(1.0, np.count_nonzero(weight) / outputs) ** 0.5)
        layer = snn.Conv2d(
            weight,
            self.normal(outputs) if rng.random() < 0.7 else None,
            **{"stride": tuple(stride), "padding": tuple(padding), "dilation": tuple(dilation)},
            groups=groups,
        )
        if not layer.sparse and rng.random() < 0.7:
            layer = layer.with_weight(scipy.sparse.csr_array(layer.weight), layer.bias)
        made = layer(h)
        return self.activation(made) if rng.random() < 0.5 else made

    def separable(self, h):
        """Depthwise with a multiplier, then 1 x 1."""
        channels = h.dims[1]
        deep = self.convolution(h, groups=channels, outputs=channels * int(self.rng.integers(1, 4)))
        return self.convolution(deep, groups=1, size=1)

    def normalised(self, h):
        channels = h.dims[1]
        scale = self.rng.uniform(0.5, 1.5, channels)
        made = snn.BatchNorm(scale, *self.normal(2, channels), self.rng.uniform(0.5, 2, channels))(h)
        return self.activation(made) if self.rng.random() < 0.5 else made

    def activation(self, h):
        return ACTIVATIONS[self.rng.integers(len(ACTIVATIONS))]()(h)

    def prelu(self, h):
        return snn.PReLU()(h, self.normal(h.dims[1], 1, 1, scale=0.3))

    def pool(self, h):
        rng = self.rng
        kernel = [int(min(size, rng.integers(1, 4))) for size in h.dims[2:]]
        stride = [int(n) for n in rng.integers(1, 4, 2)]
        padding = [int(rng.integers(0, 1 + size // 2)) for size in kernel * 2]
        if rng.random() < 0.5:
            dilation = [
                int(rng.integers(1, 3)) if d + a + b > 2 * (k - 1) and a == b == 0 else 1
                for k, d, a, b in zip(kernel, h.dims[2:], padding[:2], padding[2:], strict=True)
            ]
            return snn.MaxPool2d(kernel, stride, padding, dilation)(h)
        return snn.AvgPool2d(kernel, stride, padding, bool(rng.integers(2)))(h)

    def padded(self, h):
        """Along an axis, in any mode."""
        axis, mode = (
            int(self.rng.integers(2, 4)),
            str(self.rng.choice(["constant", "edge", "reflect", "wrap"])),
        )
        most = {"constant": 3, "edge": 3, "reflect": h.dims[axis] - 1, "wrap": h.dims[axis]}[mode]
        before, behind = (int(self.rng.integers(0, 1 + min(3, most))) for _ in range(2))
        return snn.Pad(axis, before, behind, mode, 0.5 if mode == "constant" else 0.0)(h)

    def resized(self, h):
        for axis in (2, 3):
            size = int(self.rng.integers(1, 17))
            how = (
                {"mode": "nearest", "coordinates": "asymmetric", "rounding": "floor"},
                {"mode": "linear", "coordinates": "half_pixel"},
                {"mode": "linear", "coordinates": "align_corners"},
            )[self.rng.integers(3)]
            if self.rng.random() < 0.5:
                how = how if how["mode"] == "linear" else how | {"scale": float(self.rng.integers(1, 4))}
            h = snn.Resize(axis, **(how if "scale" in how else how | {"size": size}))(h)
        return h

    def residual(self, h):
        """With a block of one or two convolutions, in either order."""
        made = self.convolution(h, outputs=h.dims[1], groups=1, size=int(self.rng.choice((1, 3))))
        if self.rng.random() < 0.4:
            made = self.convolution(made, outputs=h.dims[1], groups=1, size=3)
        total = snn.Add()(made, h) if self.rng.random() < 0.5 else snn.Add()(h, made)
        return self.activation(total) if self.rng.random() < 0.5 else total

    def branches(self, h):
        """Beside each other, then joined along the channels."""
        parts = [self.convolution(h, groups=1, size=size) for size in (1, 3)[: self.rng.integers(1, 3)]]
        pools = (snn.MaxPool2d(3, 1, 1), snn.AvgPool2d(3, 1, 1, count_include_pad=False))
        parts.append(pools[self.rng.integers(2)](h))
        return snn.Concat(axis=1)(*parts)

    def gate(self, h):
        """Squeeze and excitation."""
        mean = (snn.ReduceMean, snn.ReduceMax)[self.rng.integers(2)]((2, 3))(h)
        return snn.Mul()(h, snn.Sigmoid()(self.convolution(mean, outputs=h.dims[1], groups=1, size=1)))

    def softmax(self, h):
        axis = int(self.rng.integers(1, 4))
        return (
            snn.Mul()(snn.AxisSoftmax(axis)(h), np.float32(4))
            if self.rng.random() < 0.7
            else snn.LogSoftmax(axis)(h)
        )

    def arithmetic(self, h):
        """Pairs and functions, of values for which they are defined."""
        kind = self.rng.integers(5)
        if kind == 0:
            return snn.Div()(h, snn.Add()(snn.Abs()(h), np.float32(1)))
        if kind == 1:
            return snn.Sub()(h, self.normal(h.dims[1], 1, h.dims[3]))
        if kind == 2:
            return snn.Sqrt()(snn.Add()(snn.Mul()(h, h), np.float32(1)))
        if kind == 3:
            return snn.Max()(snn.Min()(h, np.float32(2)), self.normal(h.dims[1], 1, 1))
        return snn.Log()(snn.Add()(snn.Exp()(snn.Min()(h, np.float32(3))), np.float32(0.5)))

    def turned(self, h):
        """Height and width changed, or a part of an axis."""
        if self.rng.random() < 0.5:
            return snn.Transpose((1, 3, 2))(h)
        axis = int(self.rng.integers(1, 4))
        start = int(self.rng.integers(0, h.dims[axis]))
        return snn.Slice(axis=axis, start=start, end=None, step=int(self.rng.integers(1, 3)))(h)

    def classifier(self, h):
        if self.rng.random() < 0.5:
            h = snn.AvgPool2d(h.dims[2:])(h)
        flat = snn.Flatten()(h)
        width = flat.dims[1]
        weight = self.normal(3, width, scale=width**-0.5)
        if self.rng.random() < 0.5:
            weight[self.rng.random(weight.shape) < 0.7] = 0
            weight = scipy.sparse.csr_array(weight)
        return snn.Linear(weight, self.normal(3))(flat)
