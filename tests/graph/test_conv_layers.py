"""Convolution and pooling against torch: values, slopes, bounds and NaN."""

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn
from sparsenn.reference import reference_with_bound

torch = pytest.importorskip("torch")
F = torch.nn.functional


def setting(seed: int):
    """A window that fits, and the input's sizes (channels, height, width)."""
    rng = np.random.default_rng(seed)
    kernel, stride = rng.integers(1, 8, 2), rng.integers(1, 4, 2)
    dilation = rng.integers(1, 4, 2) if seed % 3 == 0 else np.ones(2, int)
    padding = rng.integers(0, 4, 4) if seed % 2 else np.repeat(rng.integers(0, 3, 1), 4)
    extent = (kernel - 1) * dilation + 1
    sizes = np.maximum(extent - padding[:2] - padding[2:], 1) + rng.integers(0, 9, 2) * (seed % 5 > 0)
    window = {
        "kernel_size": tuple(map(int, kernel)), "stride": tuple(map(int, stride)),
        "padding": tuple(map(int, padding)), "dilation": tuple(map(int, dilation)),
    }  # fmt: skip
    return rng, window, tuple(map(int, sizes))


def convolution(seed: int):
    """A layer, its torch function, and an input (batch, channels, height, width) float64."""
    rng, window, sizes = setting(seed)
    groups = int(rng.choice([1, 1, 2, 3, 5]))
    inside = 1 if seed % 4 == 0 else int(rng.integers(1, 4))
    outputs = groups * int(rng.integers(1, 4))
    weight = rng.standard_normal((outputs, inside, *window["kernel_size"])).astype(np.float32)
    if seed % 7 == 0:
        weight[rng.random(weight.shape) < 0.7] = 0
    bias = rng.standard_normal(outputs).astype(np.float32) if seed % 2 else None
    given = {name: window[name] for name in ("stride", "padding", "dilation")}
    layer = snn.Conv2d(weight, bias, groups=groups, **given)
    if seed % 7 == 0 and groups == 1:
        layer = layer.with_weight(scipy.sparse.csr_array(layer.weight), layer.bias)

    def run(x):
        top, left, bottom, right = window["padding"]
        own = [None if part is None else torch.tensor(part).to(x.dtype) for part in (weight, bias)]
        return F.conv2d(
            F.pad(x, (left, right, top, bottom)), *own, window["stride"], 0, window["dilation"], groups
        )

    return layer, run, rng.standard_normal((int(rng.integers(1, 4)), groups * inside, *sizes))


def pooling(seed: int):
    rng, window, sizes = setting(seed)
    kernel = np.array(window["kernel_size"])
    padding = np.minimum(window["padding"], np.tile(kernel // 2, 2))
    sizes = tuple(np.maximum(sizes, (kernel - 1) * np.array(window["dilation"]) + 1).tolist())
    if seed % 2 == 0:
        padding[2:] = padding[:2]
    top, left, bottom, right = padding = tuple(map(int, padding))
    x = rng.standard_normal((2, int(rng.integers(1, 4)), *sizes))
    if seed % 3 == 0 or seed % 3 == 1:
        layer = snn.MaxPool2d(**(window | {"padding": padding}))

        def run(x):
            padded = F.pad(x, (left, right, top, bottom), value=-torch.inf)
            return F.max_pool2d(padded, layer.window.kernel, layer.window.stride, 0, layer.window.dilation)

    else:
        counted = bool(seed % 4 == 1)
        layer = snn.AvgPool2d(window["kernel_size"], window["stride"], padding, counted)

        def run(x):
            pads = (left, right, top, bottom)
            mean = F.avg_pool2d(F.pad(x, pads), layer.window.kernel, layer.window.stride)
            share = F.avg_pool2d(F.pad(torch.ones_like(x), pads), layer.window.kernel, layer.window.stride)
            return mean if counted else mean / share

    return layer, run, x


def last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 0, -1)


def model_of(layer, x: np.ndarray) -> snn.Model:
    value = snn.Input(x.shape[1:])
    return snn.Model(inputs=value, outputs=layer(value))


@pytest.mark.parametrize("make, count", [(convolution, 240), (pooling, 120)])
def test_values_slopes_and_bounds_are_those_of_torch(make, count):
    for seed in range(count):
        layer, run, x = make(seed)
        given = torch.tensor(x, requires_grad=True)
        wanted = run(given)
        got = layer.value(last(x))
        assert got.dtype == np.float64
        np.testing.assert_allclose(
            got, last(wanted.detach().numpy()), rtol=1e-10, atol=1e-11, err_msg=str(seed)
        )
        assert layer.infer((None, *x.shape[1:])) == (None, *wanted.shape[1:])
        assert layer.infer((None, x.shape[1], None, None))[2:] == (None, None)

        da = torch.tensor(np.random.default_rng(seed).standard_normal(wanted.shape))
        (slope,) = torch.autograd.grad(wanted, given, da)
        mine = layer.gradient(last(x), got, last(da.numpy()))
        np.testing.assert_allclose(mine, last(slope.numpy()), rtol=1e-9, atol=1e-10, err_msg=str(seed))

        x32 = x.astype(np.float32)
        exact, bound = reference_with_bound(model_of(layer, x), x32)
        assert (abs(run(torch.tensor(x32)).numpy() - exact) <= bound).all(), seed
        assert (bound <= 1e-3 * (1 + abs(exact).max())).all()
        assert layer.value(last(x32)).dtype == np.float32


@pytest.mark.parametrize("make", [convolution, pooling])
def test_infinities_and_nan_reach_what_reads_them(make):
    for seed in range(0, 60):
        layer, run, x = make(seed)
        rng = np.random.default_rng(seed)
        x[rng.random(x.shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
        got, wanted = layer.value(last(x)), last(run(torch.tensor(x)).numpy())
        plain = not isinstance(layer, snn.Conv2d) or (not layer.sparse and (layer.weight != 0).all())
        if plain and getattr(layer, "count_include_pad", True):
            np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-11)
        else:
            reads = layer.depends(last(~np.isfinite(x)))
            assert np.isfinite(got[~reads]).all() and not np.isfinite(got[reads]).any()


def test_what_depends_on_a_value():
    for seed in range(40):
        layer, _, x = convolution(seed)
        mask = np.random.default_rng(seed).random((*x.shape[1:], 3)) < 0.1
        z = np.where(mask, np.nan, 1.0)
        np.testing.assert_array_equal(layer.depends(mask), np.isnan(layer.value(z)))
