"""Functions and pairs of graphs: every kernel set over floats of every size, bounds, what is refused."""

import numpy as np
import pytest
from test_activations import EPS, sweep

import sparsenn as snn
from sparsenn import _core

FUNCTIONS = {
    "abs": (snn.Abs(), np.abs),
    "exp": (snn.Exp(), np.exp),
    "log": (snn.Log(), np.log),
    "sqrt": (snn.Sqrt(), np.sqrt),
}
PAIRS = {
    "add": (snn.Add(), np.add),
    "mul": (snn.Mul(), np.multiply),
    "sub": (snn.Sub(), np.subtract),
    "div": (snn.Div(), np.divide),
    "min": (snn.Min(), np.minimum),
    "max": (snn.Max(), np.maximum),
    "prelu": (snn.PReLU(), lambda x, y: np.where(x > 0, x, x * y)),
    "equal": (snn.Equal(), lambda x, y: np.where(np.isnan(x) | np.isnan(y), np.nan, x == y)),
    "less": (snn.Less(), lambda x, y: np.where(np.isnan(x) | np.isnan(y), np.nan, x < y)),
    "less_equal": (snn.LessEqual(), lambda x, y: np.where(np.isnan(x) | np.isnan(y), np.nan, x <= y)),
}
# Slopes beside an infinity or NaN that is not read.
SPECIAL = np.array([0, -0.0, 1, -2.5, np.inf, -np.inf, np.nan, 1e-45, -1e-40, 3.4e38, -3.4e38, 7], np.float32)


def run(model, x, isa, **options):
    return snn.compile(model, isa=isa, tune="off", cache=False, **options).run(x)


def assert_agrees(got, exact, eps):
    """NaN where exact has one, infinities as float32 has them, else within eps of the value."""
    exact = np.where(abs(exact) > np.finfo(np.float32).max, np.copysign(np.inf, exact), exact)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))
    known = ~np.isnan(exact)
    got, exact = got[known], exact[known]
    infinite = np.isinf(exact)
    np.testing.assert_array_equal(got[infinite], exact[infinite])
    off = abs(got[~infinite].astype(np.float64) - exact[~infinite])
    assert (off <= eps * abs(exact[~infinite]) + 2**-148).all()


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_kernel_set_over_all_floats(name, fused, usable_isas):
    layer, exact = FUNCTIONS[name]
    z = sweep()
    x = snn.Input((1,))
    h = snn.Linear(np.ones((1, 1)))(x) if fused else snn.Reshape((1,))(x)
    with np.errstate(all="ignore"):
        wanted = exact(z.astype(np.float64))
    for isa in usable_isas:
        got = run(snn.Model(inputs=x, outputs=layer(h)), z[:, np.newaxis], isa)[:, 0]
        assert_agrees(got, wanted, 2 * EPS)


@pytest.mark.parametrize("shapes", [((1,), (1,)), ((3, 1), (1, 5)), ((4, 5), (4, 5)), ((2, 3, 1), (2, 1, 7))])
@pytest.mark.parametrize("name", PAIRS)
def test_pairs_over_special_values(name, shapes, rng, usable_isas):
    layer, exact = PAIRS[name]
    if name == "prelu":
        shapes = (np.broadcast_shapes(*shapes), shapes[1])
    x, y = snn.Input(shapes[0], name="x"), snn.Input(shapes[1], name="y")
    given = {}
    for value, shape in (("x", shapes[0]), ("y", shapes[1])):
        plain = rng.standard_normal((150, *shape)).astype(np.float32)
        given[value] = np.where(rng.random(plain.shape) < 0.5, rng.choice(SPECIAL, plain.shape), plain)
    with np.errstate(all="ignore"):
        wanted = exact(*(array.astype(np.float64) for array in given.values()))
    for isa in usable_isas:
        for threads in (1, 3):
            got = run(snn.Model(inputs=(x, y), outputs=layer(x, y)), given, isa, threads=threads)
            with np.errstate(all="ignore"):
                assert_agrees(got, wanted, EPS)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("shape", [(), (5,), (4, 1), (4, 5)])
@pytest.mark.parametrize("name", PAIRS)
def test_pairs_with_a_constant(name, shape, first, rng, usable_isas, tmp_path):
    if name == "prelu" and first:
        pytest.skip("NOT TESTED here: a constant has no slopes")
    layer, exact = PAIRS[name]
    x = snn.Input((4, 5), name="x")
    constant = rng.standard_normal(shape).astype(np.float32)
    operands = (constant, x) if first else (x, constant)
    model = snn.Model(inputs=x, outputs=layer(*operands))
    snn.save(model, tmp_path / "m.safetensors")
    given = rng.standard_normal((37, 4, 5)).astype(np.float32)
    both = given.astype(np.float64), constant.astype(np.float64)
    wanted = exact(*(both[::-1] if first else both))
    np.testing.assert_allclose(snn.reference(model, given), wanted, rtol=1e-13)
    for isa in usable_isas:
        got = run(model, given, isa)
        assert_agrees(got, wanted, EPS)
        np.testing.assert_array_equal(run(snn.load(tmp_path / "m.safetensors"), given, isa), got)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_bound_holds_for_an_operand_that_is_off_by_its_own(name, rng):
    layer = FUNCTIONS[name][0]
    z = abs(rng.standard_normal(4000)) + 1e-3
    bound = 10.0 ** rng.uniform(-8, 0, z.shape) * z * 0.9
    a = layer.value(z)
    allowed = layer.bound(z, a, bound)
    assert np.isfinite(allowed).all()
    for sign in (-1, 1):
        off = abs(layer.value(z + sign * bound) - a)
        assert (off <= allowed * (1 + 1e-6)).all() and (
            off >= 0.1 * (allowed - 16 * EPS * (1 + abs(a)))
        ).any()
    if name in ("log", "sqrt"):
        assert np.isinf(layer.bound(np.array([1e-3]), layer.value(np.array([1e-3])), np.array([2e-3]))).all()


@pytest.mark.parametrize("name", [*FUNCTIONS, "sub", "div", "min", "max", "prelu", "less", "where", "resize"])
def test_they_are_of_graphs_alone(name):
    with pytest.raises(ValueError, match=name):
        _core.Model(3).add_op(name, np.zeros(0, np.float32))


@pytest.mark.parametrize("op", ["exp", "log", "add", "conv2d", "softmax"])
def test_the_kernels_of_training_fuse_activations_alone(op, random_csr):
    weight = random_csr(4, 3, 0.5)
    sparse = _core.Sparse(weight.indptr.astype(np.int64), weight.indices, weight.shape)
    x, y = (np.zeros((1, rows + 8, _core.tile_samples()), np.float32) for rows in (3, 4))
    with pytest.raises(ValueError, match="activation must work on one value at a time"):
        sparse.forward_tiles(None, x, _core.Activation(op), None, y)


def test_slopes_that_do_not_fit():
    x = snn.Input((1, 5))
    with pytest.raises(ValueError, match="PReLU: the slopes must fit x"):
        snn.PReLU()(x, np.ones((4, 1)))


def test_neurons_behind_functions_go_and_what_they_gave_stays(rng):
    """A neuron that is cut off gives a constant, which the bias of the next layer takes."""
    first, last = rng.standard_normal((6, 4)), rng.standard_normal((3, 6))
    first[[1, 4]] = 0
    x = snn.Input((4,), name="x")
    h = snn.Abs()(snn.Linear(first, np.full(6, 0.5))(x))
    h = snn.PReLU()(snn.Sub()(snn.Exp()(h), snn.Div()(1.0, snn.Sqrt()(h))), np.linspace(-1, 1, 6))
    model = snn.Model(inputs=x, outputs=snn.Linear(last)(h))
    smaller = snn.drop_dead_neurons(model)
    assert [layer.shape for layer in smaller.linear_layers] == [(4, 4), (3, 4)]
    given = rng.standard_normal((9, 4))
    np.testing.assert_allclose(snn.reference(smaller, given), snn.reference(model, given), rtol=1e-5)


def test_neurons_that_give_an_infinity_stay(rng):
    first, last = rng.standard_normal((5, 4)), rng.standard_normal((3, 5))
    first[2] = 0
    x = snn.Input((4,), name="x")
    model = snn.Model(inputs=x, outputs=snn.Linear(last)(snn.Log()(snn.Abs()(snn.Linear(first)(x)))))
    assert snn.drop_dead_neurons(model).linear_layers[0].shape == (5, 4)
