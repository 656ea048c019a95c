"""Weighted samples in losses, steps and training: against float64 sums, differences and repeated samples."""

from __future__ import annotations

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.prune.distillation import Distillation
from sparsenn.training.losses import BinaryCrossEntropy, CrossEntropy, Huber, MeanSquaredError

LOSSES = {
    "cross_entropy": CrossEntropy(),
    "class weights": CrossEntropy([0.5, 2.0, 3.0]),
    "mse": MeanSquaredError(),
    "huber": Huber(0.3),
    "binary_cross_entropy": BinaryCrossEntropy(),
    "distillation": Distillation(weight=0.4, temperature=2.0, hard=CrossEntropy()),
}


def targets_of(name, rng, count):
    if name in ("cross_entropy", "class weights"):
        return rng.integers(0, 3, count)
    if name == "distillation":
        return np.column_stack([rng.integers(0, 3, count), rng.standard_normal((count, 3))])
    return rng.random((count, 3))


@pytest.mark.parametrize("name", LOSSES)
def test_a_weighted_loss_is_that_of_repeated_samples(name, rng):
    loss, outputs, targets = LOSSES[name], rng.standard_normal((3, 9)), targets_of(name, rng, 9)
    weights = np.array([0, 1, 2, 3, 0, 1, 1, 5, 2], float)
    times = weights.astype(int)
    value, slope = loss(outputs.copy(), targets, weights)
    wanted, repeated = loss(outputs.repeat(times, axis=1), targets.repeat(times, axis=0))
    assert value == pytest.approx(wanted, rel=1e-12)
    places = np.repeat(np.arange(9), times)
    for sample in range(9):
        np.testing.assert_allclose(
            slope[:, sample], repeated[:, places == sample].sum(axis=1), rtol=1e-9, atol=1e-15
        )
    assert loss(outputs.copy(), targets, weights * 1e-9)[0] == pytest.approx(wanted, rel=1e-12)
    same, same_slope = loss(outputs.copy(), targets, np.ones(9))
    plain, plain_slope = loss(outputs.copy(), targets)
    assert same == pytest.approx(plain, rel=1e-12)
    np.testing.assert_allclose(same_slope, plain_slope, rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_the_slope_of_the_weighted_loss(name, rng):
    loss, outputs, targets = LOSSES[name], rng.standard_normal((3, 7)), targets_of(name, rng, 7)
    weights, step = rng.random(7), 1e-6
    _, slope = loss(outputs.copy(), targets, weights)
    for place in np.ndindex(3, 7):
        moved = [outputs.copy(), outputs.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        difference = (loss(moved[0], targets, weights)[0] - loss(moved[1], targets, weights)[0]) / (2 * step)
        assert difference == pytest.approx(slope[place], rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_weight_moves_nothing(name, rng):
    outputs = rng.standard_normal((3, 4)).astype(np.float32)
    targets = targets_of(name, rng, 4)
    targets = targets if targets.dtype.kind == "i" else targets.astype(np.float32)
    value, slope = LOSSES[name](outputs, targets, np.zeros(4))
    assert value == 0 and not slope.any() and slope.dtype == np.float32


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_a_step_by_weights_is_one_on_repeated_samples(sparsity, rng):
    X, y = rng.standard_normal((40, 6)), rng.integers(0, 3, 40)
    weights = rng.integers(0, 4, 40)
    trainers = [
        snn.Trainer(snn.mlp([6, 20, 3], seed=1, sparsity=sparsity), optimizer="sgd") for _ in range(2)
    ]
    for _ in range(10):
        one = trainers[0].step(X, y, weights)
        two = trainers[1].step(X.repeat(weights, axis=0), y.repeat(weights))
        assert one == pytest.approx(two, rel=1e-5)
    for a, b in zip(trainers[0].model.linear_layers, trainers[1].model.linear_layers, strict=True):
        dense = [layer.weight.toarray() if layer.sparse else layer.weight for layer in (a, b)]
        np.testing.assert_allclose(*dense, rtol=1e-4, atol=1e-6)
    loss, accuracy = trainers[0].evaluate(X, y, weights)
    assert loss == pytest.approx(
        trainers[1].evaluate(X.repeat(weights, axis=0), y.repeat(weights))[0], rel=1e-5
    )
    assert accuracy == trainers[0].evaluate(X, y)[1]


@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"validation_split": 0.3, "early_stopping": 2}])
@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_the_loss_of_an_epoch_is_weighted(options, sparsity, rng):
    X, y = rng.standard_normal((90, 6)), rng.integers(0, 3, 90)
    weights = rng.random(90)
    weights[:50] = 0
    y[:50] = 2 - y[:50]  # what has no weight must not matter
    X[:50] *= 50
    history = snn.train(
        snn.mlp([6, 20, 3], sparsity=sparsity), X, y, sample_weight=weights, epochs=1, batch_size=16,
        learning_rate=1e-12, **options,
    )  # fmt: skip
    if not options.get("validation_split"):
        model = snn.mlp([6, 20, 3], sparsity=sparsity)
        wanted = snn.Trainer(model).evaluate(X, y, weights)[0]
        assert history.loss[0] == pytest.approx(wanted, rel=1e-5)
    same = snn.train(snn.mlp([6, 20, 3]), X, y, epochs=2, sample_weight=np.full(90, 3.5))
    plain = snn.train(snn.mlp([6, 20, 3]), X, y, epochs=2)
    np.testing.assert_allclose(same.loss, plain.loss, rtol=1e-4)


def test_regrowth_and_distillation_take_weights(rng):
    X, y, weights = rng.standard_normal((60, 6)), rng.integers(0, 3, 60), rng.random(60)
    model = snn.mlp([6, 20, 3], sparsity=0.6)
    snn.train(model, X, y, epochs=4, sample_weight=weights, regrow=snn.Regrow(fraction=0.3, samples=8))
    snn.train(model, X, y, epochs=4, sample_weight=(np.arange(60) == 3), regrow=snn.Regrow(samples=8))
    for loss in ("auto", "mse"):
        target = y if loss == "auto" else np.eye(3)[y]
        snn.prune_iteratively(
            model,
            X,
            target,
            sparsity=0.8,
            steps=2,
            epochs_per_step=1,
            distill=True,
            loss=loss,
            sample_weight=weights,
        )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(9), r"sample_weight must have shape \(10,\), got \(9,\)"),
        (np.ones((10, 1)), r"sample_weight must have shape \(10,\), got \(10, 1\)"),
        (np.zeros(10), "sample_weight must be positive for some sample, got 0 for every one"),
        ([1.0] * 9 + [-1], r"sample_weight must not be negative, got -1 at \[9\]"),
        ([1.0] * 9 + [np.nan], r"sample_weight must be finite, got nan at \[9\]"),
        ([1.0] * 9 + [np.inf], r"sample_weight must be finite, got inf at \[9\]"),
        (["a"] * 10, "sample_weight must be an array of real numbers"),
    ],
)
def test_weights_that_are_refused(weights, message, rng):
    X, y, model = rng.standard_normal((10, 4)), rng.integers(0, 2, 10), snn.mlp([4, 5, 2])
    before = model.layers[0].weight.copy()
    for call in (
        lambda: snn.train(model, X, y, sample_weight=weights),
        lambda: snn.Trainer(model).step(X, y, weights),
        lambda: snn.Trainer(model).evaluate(X, y, sample_weight=weights),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            call()
    np.testing.assert_array_equal(model.layers[0].weight, before)


def test_a_side_of_the_split_needs_weight(rng):
    weights = np.zeros(10)
    weights[3] = 1
    with pytest.raises(
        ValueError, match="sample_weight must be positive for some sample of the (training|valid)"
    ):
        snn.train(
            snn.mlp([4, 5, 2]), rng.standard_normal((10, 4)), rng.integers(0, 2, 10), sample_weight=weights,
            validation_split=0.5,
        )  # fmt: skip
