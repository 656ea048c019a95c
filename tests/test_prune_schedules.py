"""Schedules, prune_iteratively (trace, rewind, distillation, Ctrl-C) and prune_neurons."""

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.prune.distillation import Distillation, distilled
from sparsenn.prune.evaluation import evaluate, score
from sparsenn.prune.features import as_model_features
from sparsenn.prune.schedules import find_schedule
from sparsenn.training.losses import LOSSES, CrossEntropy


@pytest.fixture(scope="module")
def digits():
    X, y, X_test, y_test = snn.datasets.digits()
    return X[:400], y[:400], X_test, y_test


@pytest.fixture(scope="module")
def trained(digits):
    """(the model before training, the trained one)."""
    first = snn.mlp([64, 48, 32, 10], seed=1)
    model = first.copy()
    snn.train(model, digits[0], digits[1], epochs=20, batch_size=32, callbacks=[snn.RecordRange(model)])
    return first, model


def snapshot(model):
    return [
        np.copy(layer.weight.toarray() if layer.sparse else layer.weight) for layer in model.linear_layers
    ]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_schedules_by_their_formulas():
    assert snn.schedules() == ["cubic", "exponential", "linear", "one-shot"]
    for start, final in ((0.0, 0.9), (0.5, 0.98)):
        for progress in (0.2, 0.5, 1.0):
            assert find_schedule("cubic")(progress, start, final) == pytest.approx(
                final + (start - final) * (1 - progress) ** 3
            )
            assert find_schedule("linear")(progress, start, final) == pytest.approx(
                (1 - progress) * start + progress * final
            )
            density = find_schedule("exponential")
            assert np.log(1 - density(progress, start, final)) == pytest.approx(
                (1 - progress) * np.log(1 - start) + progress * np.log(1 - final)
            )
            assert find_schedule("one-shot")(progress, start, final) == final


@pytest.mark.parametrize("schedule", ["cubic", "exponential", "linear", "one-shot"])
def test_the_trace_follows_the_schedule(trained, digits, schedule):
    model, (X, y, X_test, y_test) = trained[1], digits
    before = snapshot(model)
    pruned, trace = snn.prune_iteratively(
        model, X, y, sparsity=0.9, steps=3, schedule=schedule, epochs_per_step=1, keep=-1, drop_dead=False,
        validation_data=(X_test, y_test),
    )  # fmt: skip
    total = 64 * 48 + 48 * 32
    for row, progress in zip(trace, (1 / 3, 2 / 3, 1), strict=True):
        assert set(row) == {"step", "sparsity", "loss", "accuracy", "nnz", "seconds"}
        wanted = find_schedule(schedule)(progress, 0.0, 0.9)
        assert abs(row["sparsity"] - wanted) * total <= 1
    assert [row["step"] for row in trace] == [1, 2, 3]
    assert trace[-1]["nnz"] == pruned.nnz
    assert evaluate(pruned, X_test, y_test) == (trace[-1]["loss"], trace[-1]["accuracy"])
    assert [layer.sparse for layer in pruned.linear_layers] == [True, True, False]
    assert_same(snapshot(model), before)


def test_it_goes_on_from_where_a_model_is(trained, digits):
    once = snn.prune(trained[1], sparsity=0.6, keep=-1)
    options = {"steps": 2, "epochs_per_step": 0, "keep": -1, "schedule": "linear", "drop_dead": False}
    _, trace = snn.prune_iteratively(once, *digits[:2], sparsity=0.8, **options)
    np.testing.assert_allclose([row["sparsity"] for row in trace], [0.7, 0.8], atol=1 / 4000)
    pruned, trace = snn.prune_iteratively(once, *digits[:2], sparsity=0.3, **options)
    assert pruned.nnz == once.nnz, "nothing grows back"


def test_without_training_it_is_prune(trained, digits):
    model, (X, y, _, _) = trained[1], digits
    for options in (
        {"sparsity": 0.7},
        {"sparsity": {0: 0.5, 1: 0.8}},
        {"structure": "n:m", "nm": (1, 2), "keep": -1},
        {"structure": "block", "block": (4, 2), "keep": -1, "sparsity": 0.5},
        {"sparsity": 0.7, "normalize": "lamp"},
    ):
        pruned, trace = snn.prune_iteratively(
            model, X, y, steps=1, epochs_per_step=0, drop_dead=False, **options
        )
        assert_same(snapshot(pruned), snapshot(snn.prune(model, **options)))
        assert len(trace) == 1


def test_every_criterion_runs_through(trained, digits):
    for criterion in snn.criteria():
        pruned, trace = snn.prune_iteratively(
            trained[1], *digits[:2], sparsity=0.8, steps=2, epochs_per_step=3, criterion=criterion, keep=-1,
            drop_dead=False, batch_size=32,
        )  # fmt: skip
        assert trace[-1]["sparsity"] == pytest.approx(0.8, abs=1 / 4600) and trace[-1]["accuracy"] > 0.5


def test_neurons_step_by_step(trained, digits):
    pruned, trace = snn.prune_iteratively(
        trained[1], *digits[:2], sparsity=0.5, steps=3, epochs_per_step=1, structure="neuron"
    )
    assert sum(layer.shape[0] for layer in pruned.linear_layers[:-1]) == 40
    np.testing.assert_allclose(
        [row["sparsity"] for row in trace],
        [0.5 * (1 - (2 / 3) ** 3), 0.5 * (1 - (1 / 3) ** 3), 0.5],
        atol=1 / 80,
    )
    assert not any(layer.sparse for layer in pruned.linear_layers)


def test_dead_neurons_go_at_the_end(trained, digits):
    options = {"sparsity": 0.98, "steps": 1, "epochs_per_step": 0, "criterion": "random"}
    whole, _ = snn.prune_iteratively(trained[1], *digits[:2], drop_dead=False, **options)
    small, trace = snn.prune_iteratively(trained[1], *digits[:2], **options)
    assert sum(layer.shape[0] for layer in small.linear_layers) < 90
    assert trace[-1]["sparsity"] == pytest.approx(0.98, abs=1e-3)
    before = snn.reference(whole, digits[2])
    atol = 1e-6 * np.abs(before).max()
    np.testing.assert_allclose(snn.reference(small, digits[2]), before, rtol=0, atol=atol)


def test_rewind_gives_the_values_of_the_first_model(trained, digits):
    first, model = trained
    pruned, _ = snn.prune_iteratively(
        model, *digits[:2], sparsity=0.8, steps=1, epochs_per_step=0, rewind=first, drop_dead=False
    )
    kept = [weight != 0 for weight in snapshot(snn.prune(model, sparsity=0.8))]
    assert_same(snapshot(pruned), [np.where(k, w, 0) for k, w in zip(kept, snapshot(first), strict=True)])
    assert_same([layer.bias for layer in pruned.linear_layers], [layer.bias for layer in first.linear_layers])
    with pytest.raises(ValueError, match="rewind must have weights of the shapes"):
        snn.prune_iteratively(model, *digits[:2], rewind=snn.mlp([64, 10]))
    with pytest.raises(ValueError, match="rewind cannot be combined with structure 'neuron'"):
        snn.prune_iteratively(model, *digits[:2], rewind=first, structure="neuron")


def test_the_distillation_loss_and_its_gradient(rng):
    """Against the formula in float64 and central differences."""
    logits, teacher = rng.normal(0, 2, (5, 7)), rng.normal(0, 2, (7, 5))
    labels = rng.integers(0, 5, 7)
    loss = Distillation(weight=0.3, temperature=2.5, hard=CrossEntropy())
    targets = np.column_stack([labels, teacher])

    def softmax(z):
        return np.exp(z) / np.exp(z).sum(axis=0)

    def formula(z):
        hard = -np.mean(np.log(softmax(z)[labels, np.arange(7)]))
        soft = -np.mean((softmax(teacher.T / 2.5) * np.log(softmax(z / 2.5))).sum(axis=0))
        return 0.7 * hard + 0.3 * 2.5**2 * soft

    value, gradient = loss(logits.copy(), targets)
    assert value == pytest.approx(formula(logits), rel=1e-12)
    for place in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[place] = 1e-5
        slope = (formula(logits + step) - formula(logits - step)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-9)


def test_distillation_pulls_towards_the_teacher(trained, digits):
    model, (X, y, _, _) = trained[1], digits
    loss, targets = Distillation(weight=1.0, temperature=4.0, hard=CrossEntropy()), model.predict(X)
    targets = np.column_stack([y, targets])
    least = loss(model.predict(X).T, targets)[0]  # the teacher's own entropy
    options = {"sparsity": 0.8, "steps": 2, "epochs_per_step": 8, "keep": -1, "batch_size": 32}
    alone, _ = snn.prune_iteratively(model, X, y, **options)
    taught, _ = snn.prune_iteratively(
        model, X, y, distill=True, distill_weight=1.0, distill_temperature=4.0, **options
    )
    snn.prune_iteratively(model, X, y, distill=model, validation_data=digits[2:], **options)
    distances = [loss(student.predict(X).T, targets)[0] - least for student in (alone, taught)]
    assert 0 < distances[1] < 0.5 * distances[0]


def test_distillation_of_a_regression_mixes_the_targets(rng):
    teacher = snn.mlp([3, 4, 2], seed=1)
    X = rng.normal(0, 1, (10, 3)).astype(np.float32)
    y = rng.normal(0, 1, (10, 2)).astype(np.float32)
    loss, mixed = distilled(
        teacher, as_model_features(teacher, X), y, LOSSES["mse"](), weight=0.25, temperature=1.0
    )
    assert loss.name == "mse"
    np.testing.assert_allclose(mixed, 0.75 * y + 0.25 * teacher.predict(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("whole_steps", [0, 2])
def test_ctrl_c_leaves_the_model_of_the_last_whole_step(trained, digits, whole_steps):
    model, (X, y, _, _) = trained[1], digits
    before, calls = snapshot(model), []

    def interrupt(trainer, row):
        calls.append(row)
        if len(calls) > whole_steps:
            raise KeyboardInterrupt

    options = {"sparsity": 0.9, "steps": 4, "epochs_per_step": 1, "drop_dead": False}
    with pytest.warns(UserWarning, match=f"the model is that of step {whole_steps} of 4"):
        left, trace = snn.prune_iteratively(model, X, y, callbacks=[interrupt], **options)
    whole, whole_trace = snn.prune_iteratively(model, X, y, **options)
    assert len(trace) == whole_steps
    assert [row["loss"] for row in trace] == [row["loss"] for row in whole_trace[:whole_steps]]
    if whole_steps == 0:
        assert_same(snapshot(left), before)
        assert left is not model
    assert_same(snapshot(model), before)


def test_regression_runs_through(rng):
    X = rng.normal(0, 1, (200, 6)).astype(np.float32)
    y = (X @ rng.normal(0, 1, (6, 2))).astype(np.float32)
    model = snn.mlp([6, 32, 2], seed=1)
    snn.train(model, X, y, epochs=40, learning_rate=1e-2)
    for criterion in ("taylor", "hessian", "gradient", "contribution"):
        pruned, trace = snn.prune_iteratively(
            model, X, y, sparsity=0.3, steps=2, epochs_per_step=20, criterion=criterion, batch_size=32
        )
        assert trace[-1]["accuracy"] is None and score(pruned, X, y) > 0.8


def test_the_score_of_a_regression_is_the_coefficient_of_determination(rng):
    X, y = rng.normal(0, 1, (50, 3)).astype(np.float32), rng.normal(0, 1, (50, 2)).astype(np.float32)
    model = snn.mlp([3, 5, 2], seed=1)
    error = np.square(snn.reference(model, X) - y).sum(axis=0) / np.square(y - y.mean(axis=0)).sum(axis=0)
    assert score(model, X, y) == pytest.approx(float(np.mean(1 - error)), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sparsity": 1.0}, ValueError, r"sparsity must be in \[0, 1\), got 1"),
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"schedule": "square"}, ValueError, "schedule must be one of cubic, .*, got 'square'"),
        ({"epochs_per_step": -1}, ValueError, "epochs_per_step must be at least 0, got -1"),
        ({"epochs": 3}, TypeError, "epochs must be given as epochs_per_step"),
        ({"structure": "n:m", "sparsity": 0.5}, ValueError, "must not be given with structure 'n:m'"),
        ({"criterion": "size"}, ValueError, "criterion must be one of"),
        ({"distill": 3}, TypeError, "distill must be a Model, got int"),
        ({"distill": True, "distill_weight": 2.0}, ValueError, "distill_weight must be in"),
        ({"validation_data": (np.ones((3, 5)), np.zeros(3))}, ValueError, r"X must have shape \(n, 64\)"),
    ],
)
def test_bad_arguments_leave_the_model_as_it_was(trained, digits, options, error, message):
    before = snapshot(trained[1])
    with pytest.raises(error, match=message):
        snn.prune_iteratively(trained[1], *digits[:2], **options)
    assert_same(snapshot(trained[1]), before)


def test_change_needs_a_history(digits):
    with pytest.raises(ValueError, match="needs the weights' history"):
        snn.prune_iteratively(snn.mlp([64, 10]), *digits[:2], criterion="change")


def test_neurons_go_until_the_width_is_reached(trained, digits):
    pruned, trace = snn.prune_neurons(trained[1], *digits[:2], width=20, step=0.3, epochs_per_step=1)
    assert [layer.shape[0] for layer in pruned.linear_layers[:-1]] == [20, 20] == trace[-1]["widths"]
    assert all(a["neurons"] > b["neurons"] for a, b in zip(trace[:-1], trace[1:], strict=True))
    pruned, _ = snn.prune_neurons(trained[1], *digits[:2], width={1: 10}, step=0.5, epochs_per_step=0)
    assert [layer.shape[0] for layer in pruned.linear_layers[:-1]] == [48, 10]


def test_neurons_go_until_all_are_important_enough(trained, digits):
    from sparsenn.prune.unit_scores import unit_scores
    from sparsenn.prune.units import units_of

    def lowest(model):
        sizes = [np.abs(layer.weight) for layer in model.linear_layers]
        return unit_scores(model, units_of(model), sizes)[1:].min()

    threshold = 1.1 * lowest(trained[1])
    pruned, trace = snn.prune_neurons(
        trained[1], *digits[:2], threshold=threshold, step=0.02, epochs_per_step=1
    )
    assert trace and lowest(pruned) >= threshold
    same, trace = snn.prune_neurons(trained[1], *digits[:2], threshold=0.0)
    assert trace == []
    assert_same(snapshot(same), snapshot(trained[1]))


def test_neurons_go_while_the_accuracy_holds(trained, digits):
    X, y, X_test, y_test = digits
    pruned, trace = snn.prune_neurons(
        trained[1], X, y, accuracy_floor=0.8, step=0.2, epochs_per_step=2, validation_data=(X_test, y_test),
        batch_size=32,
    )  # fmt: skip
    assert all(row["accuracy"] >= 0.8 for row in trace)
    assert score(pruned, X_test, y_test) == trace[-1]["accuracy"]
    assert sum(layer.shape[0] for layer in pruned.linear_layers[:-1]) == trace[-1]["neurons"] < 80


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of threshold, width and accuracy_floor must be given, got none"),
        ({"threshold": 1.0, "width": 3}, "threshold and width exclude each other"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"width": {2: 3}}, "width must name hidden layers"),
        ({"width": 3, "keep": (0, 1)}, "model must have a hidden layer that keep does not name"),
        ({"width": 3, "step": 0.0}, "step must be in"),
    ],
)
def test_bad_goals(trained, digits, options, message):
    with pytest.raises(ValueError, match=message):
        snn.prune_neurons(trained[1], *digits[:2], **options)
