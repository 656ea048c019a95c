"""Sums of a convolution and all that may stand beside it: plans add some in the convolution itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from conv_networks import conv
from test_export_graph import assert_near

import sparsenn as snn

SIZES = [(1, 1), (1, 7), (3, 3), (5, 13), (9, 16)]


@dataclass
class Parts:
    """x and z (4, height, width), y a convolution of x to as many, and the size in all."""

    x: snn.graph.value.Value
    z: snn.graph.value.Value
    y: snn.graph.value.Value
    count: int


def spread(p: Parts):
    """A column and a row of as many values each: their sum has the square of them."""
    column = conv(1, 4, 1, 1, seed=4)(p.x)
    count = column.dims[2] * column.dims[3]
    row = snn.Reshape((1, 1, count))(snn.Slice(1, 0, 1)(p.z))
    return snn.Reshape((1, count, 1))(column), row


PAIRS = {
    "an input": lambda p: (p.y, p.x),
    "another input": lambda p: (p.y, p.z),
    "itself": lambda p: (p.y, p.y),
    "a view of itself": lambda p: (p.y, snn.Reshape((4, *p.y.dims[2:]))(snn.Flatten()(p.y))),
    "two views of itself": lambda p: (snn.Flatten()(p.y), snn.Flatten()(p.y)),
    "a part of itself": lambda p: (p.y, snn.Slice(1, 0, 1)(p.y)),
    "all of itself": lambda p: (p.y, snn.Slice(1, 0, 4)(p.y)),
    "its mean": lambda p: (p.y, snn.ReduceMean((2, 3))(p.y)),
    "a constant": lambda p: (p.y, np.linspace(-1, 1, p.count, dtype=np.float32).reshape(p.y.dims[1:])),
    "a view of a constant's size": lambda p: (snn.Flatten()(p.y), np.ones(p.count, np.float32)),
    "another convolution": lambda p: (p.y, conv(4, 4, 1, 1, seed=2, sparsity=0.6)(p.x)),
    "a convolution of it": lambda p: (p.y, conv(4, 4, 1, 1, seed=2, sparsity=0.6)(p.y)),
    "an activation of it": lambda p: (p.y, snn.SiLU()(p.y)),
    "one channel": lambda p: (p.y, conv(1, 4, 1, 1, seed=3)(p.z)),
    "one position": lambda p: (p.y, snn.ReduceMax((2, 3))(p.z)),
    "as many, spread": spread,
    "a flat other": lambda p: (snn.Flatten()(p.y), snn.Flatten()(p.z)),
}


def model_of(make, size: tuple, swapped: bool, activated: bool, read: bool) -> snn.Model:
    x, z = (snn.Input((4, *size), name=name) for name in "xz")
    y = conv(4, 4, 1, 3, padding=(0, 1), sparsity=0.6)(x)
    a, b = make(Parts(x, z, y, 4 * size[0] * size[1]))
    total = snn.Add()(b, a) if swapped else snn.Add()(a, b)
    outputs = {"total": snn.ReLU()(total) if activated else total, "rest": snn.Flatten()(snn.Add()(z, x))}
    if read:
        outputs |= {
            "y": y,
            "twice": snn.Add()(total, total),
            "more": snn.Add()(conv(4, 4, 1, 1, seed=5)(x), y),
        }
    return snn.Model(inputs=[x, z], outputs=outputs)


@pytest.mark.parametrize("name", PAIRS)
def test_against_the_reference_and_the_same_bits(name, isa):
    rng = np.random.default_rng(0)
    for k, size in enumerate(SIZES):
        model = model_of(PAIRS[name], size, *(bool(k + 1 >> i & 1) for i in range(3)))
        x = {key: rng.standard_normal((3, 4, *size), dtype=np.float32) for key in "xz"}
        first = snn.compile(model, threads=1, isa=isa, tune="off", cache=False).run(x)
        assert_near(model, x, first)
        for threads in (2, 5):
            plan = snn.compile(model, threads=threads, isa=isa, tune="model", cache=False)
            for key, array in plan.run(x).items():
                np.testing.assert_array_equal(array, first[key])
            for key, array in plan.run({key: array[1:2] for key, array in x.items()}).items():
                np.testing.assert_array_equal(array, first[key][1:2])


@pytest.mark.parametrize("name", PAIRS)
def test_nan_and_infinities_in_either_of_the_two(name, isa):
    rng = np.random.default_rng(1)
    for k, bad in enumerate((np.nan, np.inf, -np.inf)):
        model = model_of(PAIRS[name], (3, 5), k == 1, k == 2, False)
        x = {key: rng.standard_normal((4, 4, 3, 5), dtype=np.float32) for key in "xz"}
        x["x"][1, 2, 1, 3] = x["z"][2, 0, 2, 4] = bad
        with np.errstate(invalid="ignore"):
            wanted = snn.reference(model, x)
        plans = [
            snn.compile(model, threads=n, isa=isa, tune=tune, cache=False).run(x)
            for n, tune in ((1, "off"), (3, "model"))
        ]
        for key, array in plans[0].items():
            np.testing.assert_allclose(array, wanted[key], rtol=1e-4, atol=1e-4)
            np.testing.assert_array_equal(array, plans[1][key])


@pytest.mark.parametrize("size", [(1, 1), (7, 7), (5, 13)])
@pytest.mark.parametrize("sparsity", [0.0, 0.8])
def test_threads_share_the_rows_of_a_tile(size, sparsity, isa):
    """Few positions and many channels: a tile's rows are parted, also where the sum lies in its own part."""
    x = snn.Input((3, *size))
    h = conv(70, 3, 1, 1, seed=1)(x)
    for seed in (2, 3):
        y = snn.ReLU()(conv(70, 70, 3, 3, seed=seed, padding=(1, 1), sparsity=sparsity)(h))
        h = snn.ReLU()(snn.Add()(conv(70, 70, 3, 3, seed=seed + 9, padding=(1, 1), sparsity=sparsity)(y), h))
    model = snn.Model(inputs=x, outputs=snn.Flatten()(h))
    samples = np.random.default_rng(0).standard_normal((3, 3, *size), dtype=np.float32)
    first = snn.compile(model, threads=1, isa=isa, tune="off", cache=False).run(samples)
    assert_near(model, {"x": samples}, {"y": first})
    samples[1, 2, 0, 0] = np.nan
    wrong = snn.compile(model, threads=1, isa=isa, tune="off", cache=False).run(samples)
    for threads in (2, 3, 4, 8):
        for tune in ("off", "model", "measure"):
            plan = snn.compile(model, threads=threads, isa=isa, tune=tune, cache=False)
            np.testing.assert_array_equal(plan.run(samples), wrong)
            for k in (0, 2):
                np.testing.assert_array_equal(plan.run(samples[k : k + 1]), first[k : k + 1])
