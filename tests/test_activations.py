"""Every op without weights, from its cases in ops/: definition, slope, kernels, files and errors."""

import numpy as np
import pytest
import scipy.sparse
from op_cases import ALL, OPS, POINTWISE

import sparsenn as snn
from sparsenn import _core
from sparsenn.layers import ACTIVATIONS, GRAPH_TYPES

EPS = np.finfo(np.float32).eps
each_layer = pytest.mark.parametrize("name, layer", ALL, ids=[repr(layer) for _, layer in ALL])


def test_every_op_has_its_cases():
    graph_only = {kind.op for kind in GRAPH_TYPES}
    assert set(OPS) | graph_only | {"linear"} == set(_core.OPS)
    assert {kind.op for kind in ACTIVATIONS.values()} == set(OPS)
    assert {word: kind.word for word, kind in ACTIVATIONS.items()} == {word: word for word in ACTIVATIONS}


@each_layer
def test_value_is_the_definition(name, layer, rng):
    z = rng.standard_normal((6, 50)) * 2  # (features, batch)
    exact = OPS[name].exact(layer, z.T).T
    np.testing.assert_allclose(layer.value(z), exact, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        snn.reference(snn.Model([snn.Linear(np.eye(6)), layer]), z.T.astype(np.float32)),
        OPS[name].exact(layer, z.T.astype(np.float32).astype(np.float64)),
        rtol=1e-12,
        atol=1e-14,
    )


@each_layer
def test_gradient_is_the_slope_of_the_definition(name, layer, rng):
    z = rng.standard_normal((6, 50)) * 2
    da = rng.standard_normal(z.shape)
    got = layer.gradient(z, layer.value(z), da)
    h = 1e-5
    for feature in range(len(z)):
        step = np.zeros_like(z)
        step[feature] = h
        slope = (OPS[name].exact(layer, (z + step).T) - OPS[name].exact(layer, (z - step).T)).T / (2 * h)
        np.testing.assert_allclose(got[feature], (slope * da).sum(axis=0), rtol=1e-6, atol=1e-8)


@each_layer
def test_float32_stays_and_is_finite_far_out(name, layer):
    z = np.array([[-1e4], [-90], [0], [90], [1e4]], np.float32)
    a = layer.value(z)
    slope = layer.gradient(z, a, np.ones_like(z))
    assert a.dtype == slope.dtype == np.float32
    assert np.isfinite(a).all() and np.isfinite(slope).all()


def sweep() -> np.ndarray:
    """Floats of every size and sign, the special ones among them."""
    bits = np.random.default_rng(7).integers(0, 2**32, 20000, dtype=np.uint64).astype(np.uint32)
    near = np.linspace(-30, 30, 6001, dtype=np.float32)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3.4e38, -3.4e38], np.float32)
    return np.concatenate([bits.view(np.float32), near, special])


@each_layer
def test_every_kernel_set_over_all_floats(name, layer, usable_isas):
    if OPS[name].mixes_features:
        pytest.skip("NOT TESTED here: softmax is a function of several values")
    z = sweep()
    with np.errstate(all="ignore"):
        exact = layer.value(z.astype(np.float64))
        limit = np.float64(np.finfo(np.float32).max)
        exact = np.where(np.abs(exact) > limit, np.copysign(np.inf, exact), exact)
    model = snn.Model([snn.Linear(np.ones((1, 1))), layer])
    for isa in usable_isas:
        y = snn.compile(model, isa=isa, tune="off", cache=False).run(z[:, np.newaxis])[:, 0]
        assert np.array_equal(np.isnan(y), np.isnan(exact)), isa
        finite = np.isfinite(exact)
        assert np.array_equal(y[~finite & ~np.isnan(exact)], exact[~finite & ~np.isnan(exact)]), isa
        wrong = np.abs(y[finite] - exact[finite]) > 10 * EPS * np.abs(exact[finite]) + max(
            OPS[name].absolute, 2**-148
        )
        assert not wrong.any(), f"{isa}: {z[finite][wrong][:5]} -> {y[finite][wrong][:5]}"


@each_layer
def test_the_same_bits_from_a_file(name, layer, tmp_path, rng):
    model = snn.Model(
        [snn.Linear(rng.standard_normal((5, 4))), layer, snn.Linear(rng.standard_normal((3, 5)))]
    )
    snn.save(model, tmp_path / "m.safetensors")
    again = snn.load(tmp_path / "m.safetensors")
    assert [type(x) for x in again.layers] == [type(x) for x in model.layers]
    np.testing.assert_array_equal(
        np.float32(again.layers[1].attribute_values), np.float32(layer.attribute_values)
    )
    x = rng.standard_normal((9, 4), dtype=np.float32)
    plans = [snn.compile(m, tune="off", cache=False) for m in (model, again)]
    np.testing.assert_array_equal(plans[0].run(x), plans[1].run(x))


@pytest.mark.parametrize("name", list(OPS))
def test_attributes_out_of_range(name):
    kind = type(OPS[name].layers[0])
    assert OPS[name].refused or not kind.attributes
    for attributes, message in OPS[name].refused:
        with pytest.raises(ValueError, match=message):
            kind(**attributes)
        with np.errstate(over="ignore", under="ignore"):
            values = np.array([attributes[key] for key in kind.attributes], np.float32)
        with pytest.raises(ValueError, match=name):
            _core.Model(3).add_op(name, values)
    with pytest.raises(ValueError, match="attributes"):
        _core.Model(3).add_op(name, np.zeros(len(kind.attributes) + 1, np.float32))


@pytest.mark.parametrize("name", list(POINTWISE))
def test_training_kernels_fuse_it_forward_and_backward(name, rng):
    """One step of plain gradient descent on a sparse network is one on the same network kept dense."""
    layer = POINTWISE[name].layers[0]
    first = rng.standard_normal((20, 12), dtype=np.float32) * (rng.random((20, 12)) < 0.4)
    last = rng.standard_normal((5, 20), dtype=np.float32)
    X, y = rng.standard_normal((33, 12), dtype=np.float32), rng.integers(0, 5, 33)
    dense = snn.Model([snn.Linear(first, np.zeros(20)), layer, snn.Linear(last, np.zeros(5))])
    sparse = snn.Model(
        [snn.Linear(scipy.sparse.csr_array(first), np.zeros(20)), layer, dense.layers[2].copy()]
    )
    inputs = dense.layers[0].weight != 0
    for model in (dense, sparse):
        snn.Trainer(model, optimizer="sgd", learning_rate=0.1).step(X, y)
    got = sparse.layers[0].weight.toarray()
    np.testing.assert_allclose(got[inputs], dense.layers[0].weight[inputs], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sparse.layers[2].weight, dense.layers[2].weight, rtol=1e-5, atol=1e-6)
    assert np.abs(got - first).max() > 1e-3
