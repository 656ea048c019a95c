"""Depthwise convolutions in plans: against float64, and bit for bit against the same filters in a product."""

import numpy as np
import pytest
from graphs import convolve

import sparsenn as snn

CASES = [
    # channels, multiplier, kernel, stride, padding (top, bottom, left, right), dilation, size
    (8, 1, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), (14, 14)),
    (67, 1, (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), (7, 7)),
    (5, 2, (3, 3), (2, 2), (0, 1, 0, 1), (1, 1), (33, 40)),
    (3, 2, (5, 5), (1, 1), (2, 2, 2, 2), (1, 1), (19, 23)),
    (4, 1, (2, 4), (1, 3), (0, 0, 3, 0), (1, 2), (9, 31)),
    (2, 1, (7, 7), (2, 1), (3, 3, 3, 3), (1, 1), (3, 2)),
    (6, 1, (3, 3), (1, 1), (0, 2, 0, 2), (1, 1), (1, 1)),
    (6, 1, (3, 3), (1, 1), (2, 2, 2, 2), (2, 2), (20, 17)),
    (2, 1, (1, 9), (1, 1), (0, 0, 4, 4), (1, 1), (1, 2500)),
    (1, 1, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), (50, 50)),
    (9, 1, (1, 1), (2, 2), (0, 0, 0, 0), (1, 1), (8, 9)),
]


def make(case, seed=0):
    channels, multiplier, kernel, stride, padding, dilation, size = case
    rng = np.random.default_rng(seed)
    rows = channels * multiplier
    weight = rng.standard_normal((rows, 1, *kernel), dtype=np.float32)
    bias = rng.standard_normal(rows, dtype=np.float32)
    top, bottom, left, right = padding
    window = {"stride": stride, "padding": (top, left, bottom, right), "dilation": dilation}
    return weight, bias, window, (channels, *size)


def plan_of(layer, dims, threads, activation=None):
    x = snn.Input(dims)
    y = layer(x) if activation is None else activation(layer(x))
    return snn.compile(snn.Model(inputs=x, outputs=y), threads=threads, tune="off", cache=False)


def kernel_of(plan):
    return plan.report()["layers"][0]["choices"][0]["chosen"]["kernel"]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("threads", [1, 3])
def test_values_are_those_of_float64(case, threads):
    weight, bias, window, dims = make(case)
    layer = snn.Conv2d(weight, bias, groups=dims[0], **window)
    plan = plan_of(layer, dims, threads, snn.SiLU())
    assert kernel_of(plan).startswith("stencil")
    for batch in (1, 2, 9):
        x = np.random.default_rng(batch).standard_normal((batch, *dims), dtype=np.float32)
        wanted = convolve(layer, x)
        wanted /= 1 + np.exp(-wanted)
        assert plan.run(x) == pytest.approx(wanted, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("case", [case for case in CASES if case[0] > 1])
@pytest.mark.parametrize("sparsity", [0.0, 0.6])
def test_bits_are_those_of_a_product(case, sparsity):
    weight, bias, window, dims = make(case, seed=1)
    layer = snn.Conv2d(weight, bias, groups=dims[0], **window)
    full = layer.dense_kernel
    full *= np.random.default_rng(2).random(full.shape) >= sparsity
    rows = full.shape[0]
    more = np.concatenate([full, np.ones((1, *full.shape[1:]), np.float32)])  # reads every channel
    depthwise = plan_of(snn.Conv2d(full, bias, **window), dims, 2)
    product = plan_of(snn.Conv2d(more, np.append(bias, np.float32(0)), **window), dims, 1)
    assert kernel_of(depthwise).startswith("stencil") and not kernel_of(product).startswith("stencil")
    x = np.random.default_rng(3).standard_normal((3, *dims), dtype=np.float32)
    assert np.array_equal(depthwise.run(x), product.run(x)[:, :rows])
    x.flat[[0, x.size // 2, -1]] = np.inf, -np.inf, np.nan
    assert np.array_equal(depthwise.run(x), product.run(x)[:, :rows], equal_nan=True)
