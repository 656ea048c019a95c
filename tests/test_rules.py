"""Clips, dropped weights, projections and limits."""

import numpy as np
import pytest

import sparsenn as snn

EPS = float(np.finfo(np.float32).eps)


def make(rng, sparsity):
    model = snn.mlp([20, 30, 4], sparsity=sparsity, pattern="random", seed=3)
    return model, rng.standard_normal((50, 20), dtype=np.float32), np.arange(50) % 4


def moves(model, X, y, **options):
    """The gradients of one step, and how far SGD with rate 1 moved each array."""
    trainer = snn.Trainer(model, optimizer="sgd", learning_rate=1.0, **options)
    before = [p.values.copy() for p in trainer.network.parameters]
    trainer.step(X, y)
    after = [p.values for p in trainer.network.parameters]
    gradients = [p.gradient for p in trainer.network.parameters]
    return gradients, [b - a for a, b in zip(after, before, strict=True)]


def norm(arrays):
    return np.sqrt(sum(np.square(a, dtype=np.float64).sum() for a in arrays))


@pytest.mark.parametrize("sparsity", [0.0, 0.7])
def test_clips(rng, sparsity):
    model, X, y = make(rng, sparsity)
    gradients, plain = moves(model.copy(), X, y)
    largest = max(np.abs(g).max() for g in gradients)
    slack = 2 * EPS * 4  # of subtracting weights below 4
    _, moved = moves(model.copy(), X, y, clip_value=largest / 4)
    for g, m in zip(gradients, moved, strict=True):
        np.testing.assert_allclose(m, np.clip(g, -largest / 4, largest / 4), rtol=0, atol=slack)
    total = norm(gradients)
    _, moved = moves(model.copy(), X, y, clip_norm=total / 3)
    for g, m in zip(gradients, moved, strict=True):
        np.testing.assert_allclose(m, g / 3, rtol=0, atol=slack + 4 * EPS * largest)
    _, moved = moves(model.copy(), X, y, clip_norm=total * 2)
    for p, m in zip(plain, moved, strict=True):
        np.testing.assert_array_equal(p, m)
    _, moved = moves(model.copy(), X, y, clip_parameter_norm=0.01)
    for g, m in zip(gradients, moved, strict=True):
        assert norm([g]) > 0.01
        np.testing.assert_allclose(m, g * (0.01 / norm([g])), rtol=0, atol=slack + 4 * EPS * largest)
    _, moved = moves(model.copy(), X, y, clip_update=(1e-3, largest / 4))
    for g, m in zip(gradients, moved, strict=True):
        wanted = np.where(np.abs(g) > largest / 4, np.sign(g) * 1e-3, g)
        np.testing.assert_allclose(m, wanted, rtol=0, atol=slack)
    assert any((np.abs(g) > largest / 4).any() for g in gradients)


@pytest.mark.parametrize("sparsity", [0.0, 0.7])
def test_weight_range_holds_weights_and_biases(rng, sparsity):
    model, X, y = make(rng, sparsity)
    snn.train(model, X, y, epochs=3, learning_rate=0.5, batch_size=10, weight_range=(-0.2, 0.1))
    arrays = [layer.weight.data if layer.sparse else layer.weight for layer in model.linear_layers]
    arrays += [layer.bias for layer in model.linear_layers]
    assert all(a.min() >= np.float32(-0.2) and a.max() <= np.float32(0.1) for a in arrays)
    assert min(a.min() for a in arrays) == np.float32(-0.2) and max(a.max() for a in arrays) == np.float32(
        0.1
    )


@pytest.mark.parametrize("sparsity", [0.0, 0.7])
def test_weight_drop_zeroes_a_fraction_for_one_step(rng, sparsity):
    model, X, y = make(rng, sparsity)
    before = model.copy()
    trainer = snn.Trainer(model, optimizer="sgd", learning_rate=0.1, weight_drop=0.4, seed=5)
    loss = trainer.step(X, y)
    # The step's own masks, drawn again, on a model that holds the thinned weights.
    generator = np.random.default_rng(5)
    thin = before.copy()
    masks = []
    for layer in thin.linear_layers:
        values = layer.weight.data if layer.sparse else layer.weight
        mask = (generator.random(values.size, dtype=np.float32) >= np.float32(0.4)) * np.float32(1 / 0.6)
        values *= mask.reshape(values.shape)
        masks.append(mask.reshape(values.shape))
    dropped = np.concatenate([mask.ravel() == 0 for mask in masks])
    assert abs(dropped.mean() - 0.4) < 5 * np.sqrt(0.24 / dropped.size)
    reference = snn.Trainer(thin, optimizer="sgd", learning_rate=0.1)
    assert reference.step(X, y) == loss
    weights = [p for p in trainer.network.parameters if p.is_weight]
    others = [p for p in reference.network.parameters if p.is_weight]
    for parameter, other, mask in zip(weights, others, masks, strict=True):
        np.testing.assert_array_equal(parameter.gradient, other.gradient * mask)
    # What was dropped keeps its value, and evaluation uses all weights.
    for layer, old, mask in zip(model.linear_layers, before.linear_layers, masks, strict=True):
        new, start = (which.weight.data if which.sparse else which.weight for which in (layer, old))
        np.testing.assert_array_equal(new[mask == 0], start[mask == 0])
    assert trainer.evaluate(X, y) == snn.Trainer(model.copy()).evaluate(X, y)


def test_limits_are_checked_when_a_model_is_built_and_trained():
    assert snn.mlp([4, 5, 3], limits=snn.Limits(max_depth=2, max_width=5)).outputs == 3
    with pytest.raises(ValueError, match="at most max_depth=1 linear layers, got 2"):
        snn.mlp([4, 5, 3], limits=snn.Limits(max_depth=1))
    with pytest.raises(ValueError, match="at most max_width=4 features wide, got 5"):
        snn.mlp([4, 5, 3], limits=snn.Limits(max_width=4))
    model = snn.mlp([4, 5, 3], limits=snn.Limits(weight_range=(-0.1, 0.2)), seed=1)
    weights = np.concatenate([layer.weight.ravel() for layer in model.linear_layers])
    assert weights.min() == np.float32(-0.1) and weights.max() == np.float32(0.2)
    X, y = np.eye(4), np.array([0, 1, 2, 0])
    with pytest.raises(ValueError, match="max_width=4"):
        snn.train(model, X, y, limits=snn.Limits(max_width=4))
    with pytest.raises(
        ValueError, match=r"weight of linear layer 0 must be in \[-0.05, 0.05\], got -0.1 to 0.2"
    ):
        snn.train(model, X, y, limits=snn.Limits(weight_range=(-0.05, 0.05)))
    with pytest.raises(ValueError, match="weight_range must be within the limits"):
        snn.train(model, X, y, limits=snn.Limits(weight_range=(-0.1, 0.2)), weight_range=(-1, 1))
    snn.train(model, X, y, epochs=5, learning_rate=0.3, limits=snn.Limits(weight_range=(-0.1, 0.2)))
    assert max(layer.weight.max() for layer in model.linear_layers) == np.float32(0.2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weight_drop": 1.0}, ValueError, r"weight_drop must be in \[0, 1\), got 1"),
        ({"clip_norm": 0}, ValueError, r"clip_norm must be in \(0, inf\), got 0"),
        ({"clip_value": "a"}, TypeError, "clip_value must be a number, got str"),
        ({"clip_update": 0.1}, TypeError, r"clip_update must be a pair \(limit, threshold\), got 0.1"),
        (
            {"weight_range": (1, 1)},
            ValueError,
            r"weight_range must be finite with low below high, got \(1, 1\)",
        ),
        ({"weight_range": 3}, TypeError, r"weight_range must be a pair of numbers \(low, high\), got 3"),
        ({"limits": 3}, TypeError, "limits must be a Limits, got int"),
    ],
)
def test_bad_rules(options, error, message):
    with pytest.raises(error, match=message):
        snn.Trainer(snn.mlp([2, 2]), **options)
