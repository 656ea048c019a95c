"""Models with convolutions and pooling, for the exporters and pruning: input x, output y."""

from __future__ import annotations

import numpy as np

import sparsenn as snn


def conv(
    outputs: int,
    inputs: int,
    *size: int,
    seed: int = 0,
    sparsity: float = 0.0,
    bias=True,
    scale=1.0,
    **options,
):
    """A Conv2d of those filters, their weights as large as scale; in CSR where it has a sparsity."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((outputs, inputs, *size), dtype=np.float32) * np.float32(scale)
    layer = snn.Conv2d(weight, rng.standard_normal(outputs) if bias else None, **options)
    if not sparsity:
        return layer
    x = snn.Input((layer.channels, None, None))
    return snn.prune(snn.Model(inputs=x, outputs=layer(x)), sparsity=sparsity).layers[0]


def model_of(dims: tuple, build) -> snn.Model:
    x = snn.Input(dims, name="x")
    return snn.Model(inputs=x, outputs={"y": build(x)})


def classifier(x: snn.graph.value.Value) -> snn.graph.value.Value:
    h = snn.MaxPool2d(2)(snn.ReLU()(conv(6, 3, 3, 3, padding=1)(x)))
    h = snn.ReLU()(conv(8, 6, 3, 3, seed=1, sparsity=0.7, stride=2)(h))
    h = snn.Flatten()(snn.AvgPool2d((3, 2))(h))
    width = h.dims[1]
    return snn.Softmax()(snn.Linear(np.random.default_rng(2).standard_normal((4, width)), np.ones(4))(h))


def residual(x):
    h = snn.SiLU()(conv(4, 4, 3, 3, padding=1, bias=False)(x))
    h = snn.Add()(conv(4, 4, 1, 1, seed=3, sparsity=0.7)(h), x)
    return snn.Concat(axis=1)(snn.MaxPool2d(3, 1, 1)(h), snn.AvgPool2d(3, 1, 1)(h))


MODELS = {
    "classifier": model_of((3, 16, 14), classifier),
    "residual": model_of((4, 6, 5), residual),
    "uneven padding": model_of(
        (3, 7, 8), conv(5, 3, 3, 2, stride=(2, 1), padding=(0, 1, 2, 1), dilation=(1, 2))
    ),
    "groups": model_of((6, 7, 7), conv(9, 2, 3, 3, groups=3, padding=1)),
    "depthwise": model_of((5, 6, 6), conv(5, 1, 3, 3, groups=5, bias=False)),
    "uneven maximum": model_of((2, 7, 9), snn.MaxPool2d((3, 2), (2, 1), (1, 0, 2, 1), (1, 2))),
    "uneven mean": model_of((2, 7, 9), snn.AvgPool2d((3, 2), (2, 1), (1, 0, 2, 1))),
    "mean of what is there": model_of((2, 7, 9), snn.AvgPool2d(3, 2, 1, count_include_pad=False)),
}
