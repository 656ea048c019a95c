"""Builders of recurrent networks, and training of classifiers, taggers and forecasters on sequences."""

import numpy as np
import pytest
from test_train_graph import bits, finite_differences, gradients

import sparsenn as snn
from sparsenn.prune.evaluation import evaluate

BUILDERS = (snn.lstm, snn.gru, snn.rnn)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("output", ["last", "mean", "every"])
@pytest.mark.parametrize("bidirectional", (False, True))
def test_models_give_what_they_say(build, output, bidirectional, rng):
    model = build([3, 6, 5, 2], output=output, bidirectional=bidirectional, seed=4)
    again = build([3, 6, 5, 2], output=output, bidirectional=bidirectional, seed=4)
    assert bits(again) == bits(model)
    X = rng.standard_normal((4, 7, 3)).astype(np.float32)
    y = model.predict(X)
    assert y.shape == ((4, 7, 2) if output == "every" else (4, 2))
    plan = snn.compile(model, tune="off", cache=False)
    np.testing.assert_allclose(plan.run(X), y, atol=1e-5)
    fixed = build([3, 6, 5, 2], output=output, bidirectional=bidirectional, seed=4, steps=7)
    np.testing.assert_array_equal(fixed.predict(X), y)
    ways = 2 if bidirectional else 1
    cells = [layer for layer in model.layers if isinstance(layer, snn.layers.Recurrent)]
    assert len(cells) == 2 * ways and [cell.reverse for cell in cells] == [False, True][:ways] * 2


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("output", ["last", "mean"])
def test_lengths_leave_out_the_steps_behind_them(build, output, rng):
    """A sample with fewer steps gives what it gives alone."""
    model = build([3, 6, 5, 2], output=output, bidirectional=True, lengths=True, seed=4)
    plain = build([3, 6, 5, 2], output=output, bidirectional=True, seed=4)
    X, lengths = rng.standard_normal((4, 7, 3)).astype(np.float32), np.float32([[7], [1], [4], [2]])
    y = model.predict({"x": X, "lengths": lengths})
    for row, sample, (length,) in zip(y, X, lengths.astype(int), strict=True):
        np.testing.assert_allclose(row, plain.predict(sample[np.newaxis, :length])[0], atol=1e-5)


def test_weights_are_orthogonal_and_forget_gates_begin_open():
    model = snn.lstm([12, 32, 3])
    convolution, cell, _ = model.linear_layers
    for gate in np.split(cell.weight, 4):
        np.testing.assert_allclose(gate @ gate.T, np.eye(32), atol=1e-5)
    i, o, f, c = np.split(convolution.bias, 4)
    assert (f == 1).all() and not (i.any() or o.any() or c.any())
    assert convolution.weight.std() == pytest.approx((2 / (12 + 32)) ** 0.5, rel=0.1)


@pytest.mark.parametrize("pattern", ["random", "erdos_renyi"])
def test_networks_that_are_sparse_from_the_start(pattern):
    model = snn.gru([20, 40, 40, 4], sparsity=0.9, pattern=pattern, bidirectional=True)
    assert model.sparsity == pytest.approx(0.9, abs=1e-3)
    X, y = np.random.default_rng(0).standard_normal((20, 5, 20)), np.arange(20) % 4
    before = [layer.nnz for layer in model.linear_layers]
    snn.train(model, X, y, epochs=2, regrow=snn.Regrow())
    assert [layer.nnz for layer in model.linear_layers] == before


@pytest.mark.parametrize("bidirectional", (False, True))
def test_gradients_of_taggers_are_the_finite_differences(bidirectional, rng):
    model = snn.gru([2, 3, 2, 2], output="every", bidirectional=bidirectional, steps=4)
    X, y = rng.standard_normal((5, 4, 2)).astype(np.float32), rng.standard_normal((5, 4, 2))
    got = gradients(model, {"x": X}, {"y": y}, "mse", threads=2)
    for slope, exact in zip(got, finite_differences(model, {"x": X}, {"y": y}), strict=True):
        np.testing.assert_allclose(slope, exact, atol=3e-5 * max(1, abs(exact).max()), rtol=1e-3)


def test_the_loss_of_a_tagger_is_the_mean_over_all_steps(rng):
    """As of a network of one step that is given every step; by labels, with weights a sample and a step."""
    model = snn.lstm([3, 4, 5], output="every", steps=6)
    X, y = rng.standard_normal((7, 6, 3)).astype(np.float32), rng.integers(0, 5, (7, 6))
    logits = model.predict(X).astype(np.float64)
    shifted = np.exp(logits - logits.max(axis=2, keepdims=True))
    each = -np.log(np.take_along_axis(shifted / shifted.sum(axis=2, keepdims=True), y[..., None], 2)[..., 0])
    right = (logits.argmax(axis=2) == y).mean()
    trainer = snn.Trainer(model)
    assert trainer.evaluate(X, y) == pytest.approx((each.mean(), right), rel=1e-5)
    one_hot = np.eye(5)[y]
    assert snn.Trainer(model).evaluate(X, one_hot) == pytest.approx((each.mean(), right), rel=1e-5)
    by_sample, by_step = rng.random(7), rng.random((7, 6))
    by_step[2, 3:] = 0
    for weight in (by_sample, by_step):
        every = np.broadcast_to(weight.reshape(7, -1), (7, 6))
        wanted = (every * each).sum() / every.sum()
        assert trainer.evaluate(X, y, weight)[0] == pytest.approx(wanted, rel=1e-5)
    for last in (snn.Softmax(), snn.AxisSoftmax(2), snn.AxisSoftmax(-1)):
        ends = snn.Model(inputs=model.input_values, outputs=last(model.output_values[0]))
        assert snn.Trainer(ends).evaluate(X, y) == pytest.approx((each.mean(), right), rel=1e-5)
        assert evaluate(ends, X, y) == pytest.approx((each.mean(), right), rel=1e-5)


def test_a_tagger_learns_is_pruned_and_fine_tuned(rng):
    """Whether the sum of the steps so far is above 0; sequences of any length at prediction."""
    X = rng.standard_normal((150, 8, 2)).astype(np.float32)
    y = (X[..., 0].cumsum(axis=1) > 0).astype(int)
    model = snn.gru([2, 16, 2], output="every")
    options = {"batch_size": 30, "learning_rate": 1e-2}
    snn.train(model, X, y, epochs=25, **options)
    sparse, trace = snn.prune_iteratively(model, X, y, sparsity=0.5, steps=2, epochs_per_step=4, **options)
    assert trace[-1]["accuracy"] > 0.9
    for criterion in ("gradient", "taylor", "hessian", "contribution"):
        assert snn.prune(model, sparsity=0.5, criterion=criterion, data=(X, y)).sparsity > 0.45
    longer = rng.standard_normal((20, 30, 2)).astype(np.float32)
    right = sparse.predict(longer).argmax(axis=2) == (longer[..., 0].cumsum(axis=1) > 0)
    assert right.mean() > 0.8


def test_a_forecaster_learns_the_next_value(rng):
    phase = rng.random((120, 1)) * 6
    wave = np.sin(phase + np.arange(13) * 0.5).astype(np.float32)
    X, y = wave[:, :12, np.newaxis], wave[:, 12]
    model = snn.lstm([1, 12, 1])
    history = snn.train(model, X, y, epochs=40, batch_size=20, learning_rate=1e-2)
    assert history.loss[-1] < 0.02 < history.loss[0]


def test_classifiers_with_lengths_train_the_same_on_any_threads(rng):
    lengths = rng.integers(1, 7, (60, 1)).astype(np.float32)
    X = rng.standard_normal((60, 6, 3)).astype(np.float32)
    y = (np.where(np.arange(6) < lengths, X[..., 0], 0).sum(axis=1) > 0).astype(int)
    data = {"x": X, "lengths": lengths}
    made = []
    for threads in (1, 2, 3):
        model = snn.lstm([3, 12, 2], output="mean", lengths=True, bidirectional=True)
        snn.train(model, data, y, epochs=15, batch_size=20, learning_rate=1e-2, threads=threads)
        made.append(bits(model))
    assert made[0] == made[1] == made[2]
    assert snn.Trainer(model.with_dims([(None, 6, 3), (None, 1)])).evaluate(data, y)[1] > 0.9


def test_what_does_not_fit_is_refused(rng):
    for make, message in [
        (lambda: snn.lstm([3, 4]), "sizes must name features, units of each layer and outputs, got 2"),
        (lambda: snn.lstm([3, 0, 4]), r"sizes\[1\]"),
        (lambda: snn.gru([3, 4, 5], output="first"), "output must be one of last, mean, every"),
        (lambda: snn.gru([3, 4, 5], output="every", lengths=True), "lengths must be False"),
        (lambda: snn.rnn([3, 4, 5], sparsity=1.0), "sparsity must be"),
        (lambda: snn.rnn([3, 4, 5], steps=0), "steps must be"),
        (lambda: snn.rnn([3, 4, 5], pattern="none"), "pattern must be one of"),
    ]:
        with pytest.raises(snn.ArgumentError, match=message):
            make()
    X, tagger, model = rng.standard_normal((6, 5, 3)), snn.gru([3, 4, 5], output="every"), snn.gru([3, 4, 5])
    for own, x, y, message in [
        (model, X[..., :2], np.zeros(6, int), r"must have dims|must have shape"),
        (model, X[0], np.zeros(6, int), r"X must have shape \(n, any, 3\), got \(5, 3\)"),
        (model, X[:, :0], np.zeros(6, int), "X must hold values"),
        (tagger, X, np.zeros(6, int), r"y must have shape \(n, steps\) or \(n, steps, 5\)"),
        (tagger, X, np.zeros((6, 4), int), r"y must hold 5 steps, got shape \(6, 4\)"),
        (tagger, X, np.zeros((5, 5), int), "y must hold as many samples as X"),
        (tagger, X, np.full((6, 5), 7), r"y must hold labels in \[0, 5\)"),
    ]:
        with pytest.raises(snn.ArgumentError, match=message):
            snn.train(own, x, y, epochs=1)
    with pytest.raises(
        snn.ArgumentError, match=r"sample_weight must have shape \(6,\) or \(6, 5\), got \(5,\)"
    ):
        snn.train(tagger, X, np.zeros((6, 5), int), epochs=1, sample_weight=np.ones(5))
    with pytest.raises(snn.UnsupportedError, match="fixed dims behind the batch"):
        snn.Trainer(model)
    with pytest.raises(snn.UnsupportedError, match="distill takes models with an output of"):
        snn.prune_iteratively(tagger, X, np.zeros((6, 5), int), sparsity=0.5, distill=True)
