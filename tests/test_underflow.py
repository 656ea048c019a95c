"""Products too small for a float: a sum of them has the same bits, its sign too, however it is added up."""

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn

TINY = np.float32(1e-25)


def tiny(rng, *shape: int, sparsity: float = 0.0) -> np.ndarray:
    values = rng.standard_normal(shape, dtype=np.float32) * TINY
    return values * (rng.random(shape) >= sparsity).astype(np.float32)


def linear(rng, sparsity):
    weight = tiny(rng, 64, 255, sparsity=sparsity)
    return snn.Linear(scipy.sparse.csr_array(weight) if sparsity else weight), (255,)


def convolution(rng, sparsity):
    weight = tiny(rng, 9, 5, 3, 3, sparsity=sparsity)
    return snn.Conv2d(weight.reshape(9, -1), kernel_size=3, padding=1), (5, 6, 7)


def depthwise(rng, sparsity):
    return snn.Conv2d(tiny(rng, 8, 1, 3, 3, sparsity=sparsity), groups=8, padding=1), (8, 6, 11)


def blocks(rng, sparsity):
    """Rows that share their columns."""
    weight = tiny(rng, 64, 256) * np.repeat(rng.random((16, 256)) >= sparsity, 4, axis=0)
    return snn.Linear(scipy.sparse.csr_array(weight.astype(np.float32))), (256,)


@pytest.mark.parametrize("activation", [None, snn.ReLU(), snn.Tanh()], ids=str)
@pytest.mark.parametrize("sparsity", [0.0, 0.8, 0.99])
@pytest.mark.parametrize("make", [linear, convolution, depthwise, blocks])
def test_sums_of_zero_have_one_sign(make, sparsity, activation, isa, rng):
    layer, dims = make(rng, sparsity)
    x = snn.Input(dims)
    y = layer(x) if activation is None else activation(layer(x))
    model = snn.Model(inputs=x, outputs=y)
    samples = tiny(rng, 19, *dims)
    samples[rng.random(samples.shape) < 0.3] = -0.0
    samples[3].flat[0] = np.nan  # computed once more, without padding
    first = None
    for threads in (1, 2, 3):
        for tune in ("off", "model"):
            plan = snn.compile(model, threads=threads, isa=isa, tune=tune, cache=False)
            got = plan.run(samples)
            first = got if first is None else first
            assert got.tobytes() == first.tobytes()
            for batch in (1, 2, 5, 8, 9, 16):
                assert plan.run(samples[:batch]).tobytes() == first[:batch].tobytes()
    assert not np.signbit(first[first == 0]).any()


def test_a_residual_sum_too(isa, rng):
    x = snn.Input((4, 6, 7))
    h = snn.Conv2d(tiny(rng, 4, 4, 3, 3).reshape(4, -1), kernel_size=3, padding=1)(x)
    model = snn.Model(inputs=x, outputs=snn.Add()(h, x))
    samples = tiny(rng, 9, 4, 6, 7)
    samples[rng.random(samples.shape) < 0.7] = -0.0
    plans = [
        snn.compile(model, threads=n, isa=isa, tune=t, cache=False) for n in (1, 3) for t in ("off", "model")
    ]
    first = plans[0].run(samples)
    for plan in plans:
        for batch in (1, 8, 9):
            assert plan.run(samples[:batch]).tobytes() == first[:batch].tobytes()
