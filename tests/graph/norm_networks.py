"""Normalisations, convolutions and a network of them for the tests of BatchNorm."""

import numpy as np
import scipy.sparse

import sparsenn as snn


def norm(channels: int, seed: int = 0, **options) -> snn.BatchNorm:
    rng = np.random.default_rng(seed)
    arrays = (
        rng.uniform(0.5, 1.5, channels),
        *rng.standard_normal((2, channels)),
        rng.uniform(0.3, 2, channels),
    )
    return snn.BatchNorm(*arrays, **options)


def conv(outputs: int, channels: int, size: int = 3, seed: int = 0, sparsity=0.0, bias=True, **options):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((outputs, channels * size * size)) / np.sqrt(channels * size * size)
    weight *= rng.random(weight.shape) >= sparsity
    weight = scipy.sparse.csr_array(weight) if sparsity else weight
    return snn.Conv2d(weight, rng.standard_normal(outputs) if bias else None, kernel_size=size, **options)


def network(sparsity=0.0, activation=snn.ReLU) -> snn.Model:
    """A residual connection, a pool and linear layers, normalised before and behind most of them."""
    rng = np.random.default_rng(1)
    x = snn.Input((3, 8, 8), name="x")
    h = activation()(norm(8)(conv(8, 3, padding=1, sparsity=sparsity, bias=False)(x)))
    g = norm(8, 2)(conv(8, 8, padding=1, seed=3, sparsity=sparsity)(h))
    h = activation()(norm(8, 4)(snn.Add()(g, h)))
    h = snn.Flatten()(snn.MaxPool2d(2)(h))
    first, last = rng.standard_normal((16, 128)) / 12, rng.standard_normal((5, 16)) / 4
    h = activation()(norm(16, 5)(snn.Linear(first)(h)))
    return snn.Model(inputs=x, outputs=snn.Linear(last, np.zeros(5))(h))


def samples(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 3, 8, 8)).astype(np.float32), rng.integers(0, 5, count)
