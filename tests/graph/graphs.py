"""Graphs for the tests, each with what it computes in plain float64 numpy, batch first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse

import sparsenn as snn


@dataclass(frozen=True)
class Case:
    """A model, and the same function of its inputs (batch, ...) by numpy alone."""

    name: str
    model: snn.Model
    exact: Callable[[dict], dict]

    def inputs(self, batch: int, seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {
            value.name: rng.standard_normal((batch, *(dim or 3 for dim in value.dims[1:])), dtype=np.float32)
            for value in self.model.input_values
        }


def only(arrays: dict):
    """What a model with one input or output takes or gives: the array itself."""
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def linear(rows: int, columns: int, seed: int, *, bias: bool = True, sparsity: float = 0.0) -> snn.Linear:
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((rows, columns), dtype=np.float32)
    layer = snn.Linear(weight, rng.standard_normal(rows) if bias else None)
    return snn.prune(snn.Model([layer]), sparsity=sparsity).layers[0] if sparsity else layer


def apply(layer: snn.Linear, x: np.ndarray) -> np.ndarray:
    weight = (layer.weight.toarray() if layer.sparse else layer.weight).astype(np.float64)
    return x @ weight.T + (0 if layer.bias is None else layer.bias.astype(np.float64))


def relu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0)


def residual() -> Case:
    first, second = linear(8, 8, 1), linear(8, 8, 2, sparsity=0.6)
    x = snn.Input((8,), name="x")
    y = snn.Add()(second(snn.ReLU()(first(x))), x)
    model = snn.Model(inputs=x, outputs={"y": y})
    return Case("residual", model, lambda a: {"y": apply(second, relu(apply(first, a["x"]))) + a["x"]})


def several() -> Case:
    """Two inputs, two outputs, one of them read on."""
    left, right, last = linear(5, 7, 3), linear(6, 4, 4, bias=False), linear(3, 11, 5)
    a, b = snn.Input((7,), name="a"), snn.Input((4,), name="b")
    joined = snn.Concat(axis=-1)(snn.Tanh()(left(a)), right(b))
    model = snn.Model(inputs=[a, b], outputs={"features": joined, "scores": snn.Softmax()(last(joined))})

    def exact(given):
        joined = np.concatenate([np.tanh(apply(left, given["a"])), apply(right, given["b"])], axis=1)
        powers = np.exp(apply(last, joined))
        return {"features": joined, "scores": powers / powers.sum(axis=1, keepdims=True)}

    return Case("several", model, exact)


def shared() -> Case:
    """One layer at three nodes."""
    layer = linear(6, 6, 6)
    x = snn.Input((6,))
    h = snn.ReLU()(layer(x))
    model = snn.Model(inputs=x, outputs=snn.Mul()(layer(h), snn.Sigmoid()(layer(x))))

    def exact(given):
        x = given["x"]
        return {"y": apply(layer, relu(apply(layer, x))) / (1 + np.exp(-apply(layer, x)))}

    return Case("shared", model, exact)


def constants() -> Case:
    """Constants of every broadcast form, on three dims."""
    rng = np.random.default_rng(7)
    row, column, full, scalar = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((5,), (4, 1), (1, 4, 5), ())
    )
    x = snn.Input((4, 5))
    h = snn.Add()(snn.Mul()(x, row), column)
    y = snn.Mul()(scalar, snn.Add()(full, h))
    return Case(
        "constants", snn.Model(inputs=x, outputs=y), lambda a: {"y": (a["x"] * row + column + full) * scalar}
    )


def moved() -> Case:
    """Every layer that moves values."""
    layer = linear(3, 12, 8)
    x = snn.Input((4, 6))
    part = snn.Slice(axis=2, start=-5, end=None, step=2)(x)  # (4, 3)
    turned = snn.Transpose((-1, 1))(part)  # (3, 4)
    first, second = snn.Split((1, 2))(turned)
    flat = snn.Flatten()(snn.Concat(axis=1)(second, first))
    square = snn.Reshape((2, -1, 2))(flat)
    model = snn.Model(inputs=x, outputs={"square": square, "y": layer(flat)})

    def exact(given):
        turned = given["x"][:, :, -5::2].transpose(0, 2, 1)
        flat = np.concatenate([turned[:, 1:], turned[:, :1]], axis=1).reshape(-1, 12)
        return {"square": flat.reshape(-1, 2, 3, 2), "y": apply(layer, flat)}

    return Case("moved", model, exact)


def spread() -> Case:
    """Values of dims 1 that are repeated, and one that is read twice by a node."""
    x, z = snn.Input((4, 1), name="x"), snn.Input((1, 3), name="z")
    outer = snn.Mul()(x, z)
    model = snn.Model(inputs=(x, z), outputs=snn.Add()(snn.Mul()(outer, outer), z))
    return Case("spread", model, lambda a: {"y": (a["x"] * a["z"]) ** 2 + a["z"]})


def convolve(layer: snn.Conv2d, x: np.ndarray) -> np.ndarray:
    """x (batch, channels, height, width), place by place."""
    (kh, kw), (sh, sw), (dh, dw) = layer.window.kernel, layer.window.stride, layer.window.dilation
    top, left, bottom, right = layer.window.padding
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    height, width = x.shape[2] - dh * (kh - 1), x.shape[3] - dw * (kw - 1)
    parts = [
        [x[:, :, h : h + dh * kh : dh, w : w + dw * kw : dw][:, :, :kh, :kw] for w in range(0, width, sw)]
        for h in range(0, height, sh)
    ]
    kernel = layer.dense_kernel.astype(np.float64)
    y = np.stack([np.stack([np.einsum("ocij,bcij->bo", kernel, p) for p in row], -1) for row in parts], -2)
    return y + (0 if layer.bias is None else layer.bias.astype(np.float64)[:, None, None])


def images() -> Case:
    """A convolutional network with a residual connection, both pools, groups and a stride."""
    rng = np.random.default_rng(9)
    kernels = [
        rng.standard_normal(shape).astype(np.float32) for shape in ((6, 3, 3, 3), (6, 2, 3, 3), (4, 6, 1, 1))
    ]
    kernels[0][rng.random(kernels[0].shape) < 0.7] = 0
    first = snn.Conv2d(kernels[0], rng.standard_normal(6), padding=1, stride=(2, 1))
    first = first.with_weight(scipy.sparse.csr_array(first.weight), first.bias)
    second = snn.Conv2d(kernels[1], padding=(0, 1, 2, 1), groups=3)
    third, last = snn.Conv2d(kernels[2], rng.standard_normal(4)), linear(5, 4, 10)
    x = snn.Input((3, 10, 7), name="x")
    h = snn.ReLU()(first(x))
    h = snn.Add()(second(h), h)
    pooled = snn.MaxPool2d(3, stride=2, padding=(1, 1, 0, 1))(third(h))
    mean = snn.AvgPool2d((2, 4))(pooled)
    model = snn.Model(inputs=x, outputs={"y": last(snn.Flatten()(mean)), "maps": pooled})

    def exact(given):
        h = relu(convolve(first, given["x"]))
        maps = convolve(third, convolve(second, h) + h)
        padded = np.pad(maps, ((0, 0), (0, 0), (1, 0), (1, 1)), constant_values=-np.inf)
        rows, columns = (range(0, size - 2, 2) for size in padded.shape[2:])
        pooled = np.stack(
            [np.stack([padded[:, :, r : r + 3, c : c + 3].max((2, 3)) for c in columns], -1) for r in rows],
            -2,
        )
        return {"y": apply(last, pooled.mean((2, 3))), "maps": pooled}

    return Case("images", model, exact)


def functions() -> Case:
    """Every function and pair that is defined for some values alone, on such values."""
    first, second, last = linear(6, 5, 11), linear(6, 5, 12, sparsity=0.5), linear(3, 6, 13)
    slopes = np.random.default_rng(14).standard_normal(6).astype(np.float32)
    x = snn.Input((5,), name="x")
    size = snn.Abs()(first(x))
    quotient = snn.Div()(snn.Log()(snn.Add()(size, 0.5)), snn.Sqrt()(snn.Add()(size, 1.0)))
    power = snn.Exp()(snn.Sub()(0.5, size))
    larger = snn.Max()(snn.Min()(quotient, power), snn.Sub()(second(x), quotient))
    model = snn.Model(inputs=x, outputs=last(snn.PReLU()(larger, slopes)))

    def exact(given):
        size = abs(apply(first, given["x"]))
        quotient = np.log(size + 0.5) / np.sqrt(size + 1)
        smaller = np.minimum(quotient, np.exp(0.5 - size))
        larger = np.maximum(smaller, apply(second, given["x"]) - quotient)
        return {"y": apply(last, np.where(larger > 0, larger, larger * slopes.astype(np.float64)))}

    return Case("functions", model, exact)


def normalised() -> Case:
    """Batch normalisation before and behind a convolution, behind a sum and between linear layers."""
    rng = np.random.default_rng(15)

    def norm(channels: int) -> snn.BatchNorm:
        return snn.BatchNorm(
            rng.uniform(0.5, 1.5, channels),
            *rng.standard_normal((2, channels)),
            rng.uniform(0.3, 2, channels),
        )

    def apply_norm(layer: snn.BatchNorm, x: np.ndarray) -> np.ndarray:
        scale, shift, mean, variance = (
            array.astype(np.float64).reshape(-1, *[1] * (x.ndim - 2)) for array in layer.arrays
        )
        return scale * (x - mean) / np.sqrt(variance + layer.epsilon) + shift

    kernels = [rng.standard_normal(shape).astype(np.float32) / 3 for shape in ((4, 3, 3, 3), (4, 4, 3, 3))]
    kernels[1][rng.random(kernels[1].shape) < 0.6] = 0
    first, second = snn.Conv2d(kernels[0], rng.standard_normal(4)), snn.Conv2d(kernels[1], padding=1)
    second = second.with_weight(scipy.sparse.csr_array(second.weight), None)
    norms, third = [norm(channels) for channels in (3, 4, 4, 5)], linear(5, 80, 16)
    third.weight *= np.float32(0.02)
    x = snn.Input((3, 6, 7), name="x")
    h = snn.ReLU()(norms[1](first(norms[0](x))))
    h = norms[2](snn.Add()(second(h), h))
    model = snn.Model(inputs=x, outputs=snn.ReLU()(norms[3](third(snn.Flatten()(h)))))

    def exact(given):
        h = relu(apply_norm(norms[1], convolve(first, apply_norm(norms[0], given["x"]))))
        h = apply_norm(norms[2], convolve(second, h) + h)
        return {"y": relu(apply_norm(norms[3], apply(third, h.reshape(len(h), 80))))}

    return Case("normalised", model, exact)


def joined(seed=0, activation=snn.Tanh):
    """Two branches and a residual connection; one input of 6, one output of 3."""
    a, b, c, d = (linear(*size, seed + i) for i, size in enumerate([(5, 6), (4, 6), (6, 9), (3, 6)]))
    x = snn.Input((6,), name="x")
    both = snn.Concat()(activation()(a(x)), snn.Sigmoid()(b(x)))
    y = d(snn.Mul()(snn.Add()(c(both), x), np.linspace(0.5, 2, 6)))
    return snn.Model(inputs=x, outputs=y)


def perceptron(*, width=12, outputs=4, sparsity=0.0, seed=0, blocks=4) -> snn.Model:
    """Four residual blocks, one concat, two outputs: logits and a reconstruction."""
    x = snn.Input((6,), name="x")
    h = snn.ReLU()(linear(width, 6, seed, sparsity=sparsity)(x))
    middle = None
    for block in range(blocks):
        inner = snn.GELU()(linear(width, width, seed + 10 + block, sparsity=sparsity)(h))
        h = snn.Add()(linear(width, width, seed + 20 + block, sparsity=sparsity)(inner), h)
        middle = h if block == 1 else middle
    joined = snn.Concat()(h, middle)
    logits = snn.Softmax()(linear(outputs, 2 * width, seed + 30)(joined))
    again = snn.Tanh()(linear(6, 2 * width, seed + 31, sparsity=sparsity)(joined))
    model = snn.Model(inputs=x, outputs={"classes": logits, "again": again})
    for layer in model.linear_layers:  # so that sums of many do not grow
        values = layer.weight.data if layer.sparse else layer.weight
        values *= np.float32(0.3)
    return model


def only_values(model, inputs):
    got = snn.reference(model, only(inputs))
    return list(got.values()) if isinstance(got, dict) else [got]


CASES = [
    make() for make in (residual, several, shared, constants, moved, spread, images, functions, normalised)
]
MODELS = {case.name: case.model for case in CASES} | {
    "joined": joined(),
    "perceptron": perceptron(),
    "sparse perceptron": perceptron(sparsity=0.8),
}


def assert_same_outputs(first: snn.Model, second: snn.Model) -> None:
    """Both compute the same of the same inputs, which are matched by their order, as are the outputs."""
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal((4, *value.dims[1:])).astype(np.float32) for value in first.input_values]
    ours, theirs = (
        only_values(model, {value.name: x for value, x in zip(model.input_values, arrays, strict=True)})
        for model in (first, second)
    )
    for got, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-7)
