"""Penalties: gradients against finite differences, proximal steps against their definition, exact zeros."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import sparsenn as snn
from sparsenn import _core
from sparsenn.training.penalties import Penalties

RATE = 0.1
EPS = float(np.finfo(np.float32).eps)
INF = float("inf")


def step_of(penalties, values, *, rows=None, rate=RATE, **options):
    """values after one step with a zero gradient."""
    values = np.array(values, np.float32)
    update = _core.Update("sgd", rate=rate, **penalties.options(rate), **options)
    _core.update_values(update, values, np.zeros_like(values))
    if rows is not None:
        penalties.shrink_groups(values, np.array(rows), rate)
    return values


def value(penalties, w):
    w = np.atleast_1d(np.asarray(w, np.float64))
    return penalties.value(w, np.array([0, len(w)]))


@pytest.mark.parametrize("penalties", [Penalties(l2=0.7), Penalties(l1=0.4, l1_proximal=False)])
@pytest.mark.parametrize("w", [-1.3, -0.2, 0.05, 2.0])
def test_gradient_terms_agree_with_finite_differences(penalties, w):
    h = 1e-6
    slope = (value(penalties, w + h) - value(penalties, w - h)) / (2 * h)
    moved = (w - float(step_of(penalties, [w])[0])) / RATE
    assert slope == pytest.approx(moved, abs=1e-6 + 2 * EPS * (1 + abs(w)) / RATE)


@pytest.mark.parametrize(
    "penalties", [Penalties(l1=0.8), Penalties(mcp=0.8, mcp_concavity=1.5), Penalties(mcp=0.3)]
)
@pytest.mark.parametrize("w", [-2.0, -1.0, -0.07, 0.0, 0.03, 0.09, 0.5, 1.19, 1.21, 3.0])
def test_a_proximal_step_minimises_penalty_and_distance(penalties, w):
    w32 = np.float32(w)

    def objective(v):
        return value(penalties, v) + (v - w32) ** 2 / (2 * RATE)

    got = float(step_of(penalties, [w])[0])
    found = minimize_scalar(objective, bounds=(-4, 4), method="bounded", options={"xatol": 1e-9})
    assert objective(got) <= min(found.fun, objective(0.0)) + 8 * EPS * (1 + w * w) / RATE
    if abs(w) < RATE * max(penalties.l1, penalties.mcp):
        assert got == 0 and not np.signbit(np.float32(got))


def test_group_lasso_shrinks_whole_neurons():
    rows = [0, 3, 3, 5, 6]
    w = np.array([3.0, -4.0, 12.0, 1e-3, -1e-3, 0.5], np.float32)
    penalties = Penalties(group_lasso=0.6)
    got = step_of(penalties, w, rows=rows)
    limit = RATE * 0.6 * np.sqrt(3)
    np.testing.assert_allclose(got[:3], w[:3] * (1 - limit / 13), rtol=4 * EPS)
    np.testing.assert_array_equal(got[3:5], [0, 0])
    assert got[5] == pytest.approx(0.5 - RATE * 0.6, rel=4 * EPS)
    assert penalties.value(w, np.array(rows)) == pytest.approx(0.6 * (13 * 3**0.5 + 1e-3 * 2 + 0.5), rel=1e-6)


def test_mcp_leaves_large_weights_alone():
    penalties = Penalties(mcp=0.5, mcp_concavity=2.0)
    w = np.array([1.01, -7.0], np.float32)
    np.testing.assert_array_equal(step_of(penalties, w), w)
    assert value(penalties, [1.01, -7.0]) == pytest.approx(2 * 0.5 * 2.0 * 0.5**2)


def train_digits(**options):
    X, y, _, _ = snn.datasets.digits()
    model = snn.mlp([64, 32, 10], seed=1)
    trainer = snn.Trainer(model, optimizer="sgd", learning_rate=0.1, **options)
    for start in range(0, 1024, 128):
        trainer.step(X[start : start + 128], y[start : start + 128])
    return np.concatenate([layer.weight.ravel() for layer in model.linear_layers]), model


@pytest.mark.parametrize("options", [{"l1": 0.05}, {"mcp": 0.05}])
def test_training_gives_exact_zeros_and_the_subgradient_does_not(options):
    weights, _ = train_digits(**options)
    assert (weights == 0).mean() > 0.1
    weights, _ = train_digits(l1=0.05, l1_proximal=False)
    assert (weights == 0).mean() == 0


def test_group_lasso_in_training_removes_neurons():
    _, model = train_digits(group_lasso=0.3)
    dead = [(layer.weight == 0).all(axis=1) for layer in model.linear_layers]
    assert any(rows.any() for rows in dead)
    assert not any(
        ((layer.weight == 0).any(axis=1) & ~rows).any()
        for layer, rows in zip(model.linear_layers, dead, strict=True)
    )


@pytest.mark.parametrize("sparsity", [0.0, 0.6])
def test_group_lasso_reaches_the_kernels(sparsity, rng):
    """The step after a shrink computes with the shrunk weights."""
    model = snn.mlp([12, 9, 3], sparsity=sparsity, seed=2)
    X, y = rng.standard_normal((20, 12)), np.arange(20) % 3
    trainer = snn.Trainer(model, group_lasso=5.0, learning_rate=0.05)
    trainer.step(X, y)
    assert trainer.evaluate(X, y) == snn.Trainer(model.copy()).evaluate(X, y)


def test_penalty_of_a_trainer_is_that_of_its_weights():
    model = snn.Model([snn.Linear(np.array([[1.0, -2.0]]), [5.0])])
    trainer = snn.Trainer(model, l2=0.5, l1=2.0)
    assert trainer.penalty() == pytest.approx(0.25 * 5 + 2.0 * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l1": -1}, r"l1 must be in \[0, inf\), got -1"),
        ({"mcp_concavity": 0}, r"mcp_concavity must be in \(0, inf\), got 0"),
        ({"l1": 0.1, "mcp": 0.1}, "l1 and mcp must not both be given"),
    ],
)
def test_bad_penalties(options, message):
    with pytest.raises(ValueError, match=message):
        snn.Trainer(snn.mlp([2, 2]), **options)


def test_mcp_refuses_a_learning_rate_above_its_concavity():
    trainer = snn.Trainer(snn.mlp([2, 2]), mcp=0.1, mcp_concavity=0.5, learning_rate=0.5)
    with pytest.raises(ValueError, match="mcp_concavity must be above the learning rate 0.5, got 0.5"):
        trainer.step(np.ones((1, 2)), [0])


def test_an_unknown_option_is_named():
    with pytest.raises(TypeError, match="'lasso' is not an option of Trainer"):
        snn.Trainer(snn.mlp([2, 2]), lasso=1.0)
