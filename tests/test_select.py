"""select_sparsity, its folds and backends, sensitivity, allocate, measured latency and the display."""

import functools
import importlib.util
import itertools
import json

import joblib
import numpy as np
import pytest

import sparsenn as snn
from sparsenn.bench.timing import Times
from sparsenn.cli import sweep
from sparsenn.prune.evaluation import evaluate, score
from sparsenn.search import allocation, latency, select
from sparsenn.search.cross_validation import make_folds

FIT = {"epochs": 6, "batch_size": 32}
PRUNE = {"steps": 1, "epochs_per_step": 2, "keep": -1, "batch_size": 32}
OPTIONS = {"cv": 2, "candidates": (0.5, 0.9, 0.99), "fit": FIT, "prune": PRUNE, "seed": 3}


def make_model():
    return snn.mlp([64, 32, 10], seed=1)


@pytest.fixture(scope="module")
def digits():
    X, y, X_test, y_test = snn.datasets.digits()
    return X[:300], y[:300], X_test, y_test


@pytest.fixture
def known_times(monkeypatch):
    """Plans take as many microseconds as they store weights, a little less at the fastest."""

    def measure(models, X, *, batch_size, threads=None, rounds=1):
        times = {name: Times([float(model.nnz)], 0.9 * model.nnz) for name, model in models.items()}
        return times

    monkeypatch.setattr(select, "measure_latency", measure)
    monkeypatch.setattr(allocation, "measure_latency", measure)


@pytest.fixture
def selection(digits, known_times):
    return snn.select_sparsity(make_model, *digits[:2], max_drop=0.1, **OPTIONS)


def test_scores_are_those_of_held_out_folds(digits, selection):
    """The same by hand: train dense on each fold, prune, score on the rest."""
    X, y = digits[:2]
    folds = make_folds(2, y, stratify=True, seed=3)
    for number, (training, test) in enumerate(folds):
        model = make_model()
        snn.train(model, X[training], y[training], seed=3, **FIT)
        assert selection.dense.scores[number] == score(model, X[test], y[test])
        for row in selection.candidates:
            pruned, _ = snn.prune_iteratively(
                model, X[training], y[training], sparsity=row.sparsity, seed=3, **PRUNE
            )
            assert row.scores[number] == score(pruned, X[test], y[test])
    for row in [selection.dense, *selection.candidates]:
        assert row.mean == pytest.approx(np.mean(row.scores)) and row.std == pytest.approx(
            np.std(row.scores, ddof=1)
        )
        assert row.drop == pytest.approx(selection.dense.mean - row.mean)
        assert row.meets_drop == (row.drop <= 0.1)


def test_the_sparsest_that_holds_is_chosen(selection):
    good = [row.sparsity for row in selection.candidates if row.meets_drop]
    assert selection.sparsity == max(good) and "sparsest candidate" in selection.reason
    hidden = selection.model.linear_layers[0]
    assert hidden.nnz == pytest.approx((1 - selection.sparsity) * 64 * 32, abs=40)
    assert selection.metric == "accuracy"


def test_nothing_within_the_drop_leaves_the_dense_network(digits, known_times, monkeypatch):
    worse = itertools.count()
    monkeypatch.setattr(select, "_prune_and_score", lambda model, *_: (next(worse) * 0.0, model))
    found = snn.select_sparsity(make_model, *digits[:2], max_drop=0.0, **OPTIONS)
    assert found.sparsity == 0 and "no candidate stays within max_drop=0" in found.reason
    assert found.model.nnz == 64 * 32 + 320


def test_the_latency_budget_is_kept(digits, known_times):
    X, y = digits[:2]
    found = snn.select_sparsity(make_model, X, y, max_drop=1.0, max_latency_us=1400, **OPTIONS)
    assert found.sparsity == 0.99 and found.latency_us <= 1400 and found.latency_us == found.model.nnz
    assert [row.meets_latency for row in [found.dense, *found.candidates]] == [False, True, True, True]


def test_a_budget_that_nothing_meets_is_an_error(digits, known_times):
    X, y = digits[:2]
    with pytest.raises(ValueError, match="max_latency_us is met by no candidate: got 10, and the fastest"):
        snn.select_sparsity(make_model, X, y, max_latency_us=10, **OPTIONS)
    options = OPTIONS | {
        "candidates": (0.99,),
        "prune": PRUNE | {"epochs_per_step": 0, "criterion": "random"},
    }
    with pytest.raises(ValueError, match="max_drop and max_latency_us are met by no candidate together"):
        snn.select_sparsity(make_model, X, y, max_latency_us=600, max_drop=0.0, **options)


def test_a_choice_too_slow_after_the_last_training_gives_way(digits, monkeypatch):
    calls = []

    def measure(models, X, *, batch_size, threads=None):
        calls.append(len(models))
        slow = 100.0 if len(calls) == 2 else 1.0
        return {name: Times([slow], slow) for name in models}

    monkeypatch.setattr(select, "measure_latency", measure)
    found = snn.select_sparsity(make_model, *digits[:2], max_drop=1.0, max_latency_us=50, **OPTIONS)
    assert calls == [4, 1, 1] and found.sparsity == 0.9 and "too slow" in found.reason


def held_up_above(limit, *, stretch=1000.0):
    """Plans of more weights than limit take a thousand times as long, and are known to be held up."""

    def measure(models, X, *, batch_size, threads=None, rounds=1):
        times = {}
        for name, model in models.items():
            held_up = model.nnz > limit
            us = float(model.nnz) * (stretch if held_up else 1)
            times[name] = Times([us], 0.9 * us, held_up={0} if held_up else set())
        return times

    return measure


def test_a_candidate_that_was_held_up_is_no_reason_to_call_it_slow(digits, monkeypatch):
    monkeypatch.setattr(select, "measure_latency", held_up_above(500))
    found = snn.select_sparsity(make_model, *digits[:2], max_drop=1.0, max_latency_us=1400, **OPTIONS)
    assert found.sparsity == 0.99 and not found.disturbed
    assert [row.disturbed for row in [found.dense, *found.candidates]] == [True, True, True, False]
    assert [row["disturbed"] for row in found.to_dict()["candidates"]] == [True, True, False]


def test_what_keeps_the_budget_although_held_up_keeps_it(digits, monkeypatch):
    monkeypatch.setattr(select, "measure_latency", held_up_above(0, stretch=1.0))
    found = snn.select_sparsity(make_model, *digits[:2], max_drop=1.0, max_latency_us=1400, **OPTIONS)
    assert found.sparsity == 0.99 and found.disturbed and "and at most " in found.reason


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (0, "got 10, and nothing was timed that can be believed: the machine was busy"),
        (1000, r"the fastest, at sparsity 0.99, takes .* \(sparsity 0, 0.5 could not be timed"),
        (10**9, "the fastest, at sparsity 0.99, takes [0-9.]+ us$"),
    ],
)
def test_the_error_says_what_could_not_be_timed(digits, monkeypatch, limit, words):
    monkeypatch.setattr(select, "measure_latency", held_up_above(limit))
    with pytest.raises(ValueError, match=words):
        snn.select_sparsity(make_model, *digits[:2], max_latency_us=10, **OPTIONS)


def test_sweep_and_its_pictures_state_no_time_that_was_held_up(digits, monkeypatch, tmp_path):
    monkeypatch.setattr(select, "measure_latency", held_up_above(500))
    options = OPTIONS | {"candidates": (0.5, 0.99)}
    found = snn.select_sparsity(make_model, *digits[:2], max_drop=1.0, **options)
    slow = f"{1000.0 * (64 * 16 + 320):.1f}"
    plain = found.to_dict() | {"data": "10 samples", "held_out_score": 0.9, "held_out_samples": 10}
    text = sweep.format_report(plain, tmp_path)
    lines = text.splitlines()
    assert [line.split()[-1] == "?" for line in lines[1:4]] == [True, True, False]
    assert slow not in text and "?: measured 3 times" in text and "slow" not in text
    display = snn.SparsityDisplay.from_results(plain)
    page = display.to_html()
    assert slow not in page and page.count("<td>?</td>") == 4 and "?: measured 3 times" in page
    latency_axes = display.axes_[1]
    assert latency_axes.get_ylim()[1] < 2 * found.candidates[1].latency_us
    hollow = [line for line in latency_axes.lines if line.get_markerfacecolor() == "none"]
    assert hollow[0].get_xdata().tolist() == [0] and hollow[0].get_color() == "0.6"
    assert "dense" not in [line.get_label() for line in latency_axes.lines]


def test_allocation_says_what_could_not_be_timed(trained, digits, monkeypatch):
    measured = snn.sensitivity(trained, *digits[:2], sparsities=(0.5, 0.9))
    monkeypatch.setattr(allocation, "measure_latency", held_up_above(0, stretch=1.0))
    found = snn.allocate(trained, *digits[:2], max_latency_us=2000, measured=measured)
    assert found.disturbed and found.latency_us <= 2000 and all(row["disturbed"] for row in found.options)
    monkeypatch.setattr(allocation, "measure_latency", held_up_above(0))
    with pytest.raises(ValueError, match="the machine was too busy to time some"):
        snn.allocate(trained, *digits[:2], max_latency_us=2000, measured=measured)


def test_plain_data_without_the_model(selection):
    plain = json.loads(json.dumps(selection.to_dict()))
    assert plain["sparsity"] == selection.sparsity and "model" not in plain
    assert [row["sparsity"] for row in plain["candidates"]] == [0.5, 0.9, 0.99]


def test_change_is_recorded_in_every_fold(digits, known_times):
    options = OPTIONS | {"prune": PRUNE | {"criterion": "change"}, "candidates": (0.5,)}
    found = snn.select_sparsity(make_model, *digits[:2], max_drop=1.0, **options)
    assert found.sparsity == 0.5


def test_processes_give_the_same_scores(digits, selection, known_times):
    again = snn.select_sparsity(make_model, *digits[:2], max_drop=0.1, n_jobs=2, **OPTIONS)
    for one, other in zip(again.candidates, selection.candidates, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=0.02)  # other threads, other rounding


def test_a_dask_cluster_carries_it(digits, known_times):
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("dask.distributed is not installed: select_sparsity was not tried on a LocalCluster")
    from distributed import Client, LocalCluster

    ran = []
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        with joblib.parallel_config(backend="dask", n_jobs=2):
            found = snn.select_sparsity(make_model, *digits[:2], max_drop=1.0, **OPTIONS)
        ran = client.run(
            lambda dask_worker: len(dask_worker.state.tasks) + dask_worker.state.transition_counter
        )
    assert found.sparsity == 0.99 and len(found.dense.scores) == 2
    assert sum(ran.values()) > 0, "the cluster did the work"


def test_a_regression_is_scored_by_r_squared(rng, known_times):
    X = rng.normal(0, 1, (120, 5)).astype(np.float32)
    y = X @ rng.normal(0, 1, 5).astype(np.float32)
    found = snn.select_sparsity(
        functools.partial(snn.mlp, [5, 16, 1], seed=1), X, y, candidates=(0.2,), cv=3, max_drop=1.0,
        fit={"epochs": 30, "batch_size": 16, "learning_rate": 1e-2}, prune={"steps": 1},
    )  # fmt: skip
    assert found.metric == "R^2" and found.dense.mean > 0.8


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"candidates": ()}, ValueError, "candidates must hold at least one sparsity above 0"),
        ({"candidates": (1.5,)}, ValueError, r"candidates must be in \[0, 1\), got 1.5"),
        ({"cv": 1}, ValueError, "cv must be at least 2, got 1"),
        ({"cv": 500}, ValueError, r"cv must be at most the number of samples \(300\), got 500"),
        ({"cv": [(np.arange(5), np.arange(400))]}, ValueError, r"cv must hold indices in \[0, 300\)"),
        ({"max_drop": -0.1}, ValueError, "max_drop must be in"),
        ({"max_latency_us": 0}, ValueError, "max_latency_us must be in"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"prune": {"sparsity": 0.5}}, ValueError, "prune must not hold 'sparsity'"),
    ],
)
def test_bad_arguments(digits, options, error, message):
    with pytest.raises(error, match=message):
        snn.select_sparsity(make_model, *digits[:2], **options)


def test_the_model_and_the_data_must_fit(digits):
    with pytest.raises(TypeError, match="make_model must return a Model, got int"):
        snn.select_sparsity(lambda: 3, *digits[:2])
    with pytest.raises(TypeError, match="make_model must be a function, got Model"):
        snn.select_sparsity(make_model(), *digits[:2])
    with pytest.raises(ValueError, match=r"X must have shape \(n, 64\), got \(300, 63\)"):
        snn.select_sparsity(make_model, digits[0][:, 1:], digits[1])


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_hold_every_sample_once_and_are_stratified(rng, folds):
    y = rng.integers(0, 4, 101)
    pairs = make_folds(folds, y, stratify=True, seed=5)
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in pairs])), np.arange(101))
    for training, test in pairs:
        np.testing.assert_array_equal(np.sort(np.concatenate([training, test])), np.arange(101))
        for label in range(4):
            assert abs((y[test] == label).sum() - (y == label).sum() / folds) < 1.5


def test_latency_is_a_median_of_bursts_of_each_plan(digits):
    models = {"small": snn.mlp([64, 8, 10]), "large": snn.mlp([64, 1500, 1500, 10])}
    times = latency.measure_latency(models, digits[0][:3], batch_size=8, threads=1, rounds=3)
    assert all(entry.median_us > 0 for entry in times.values())
    assert all(
        0 < entry.minimum_us <= max(entry.rounds_us) and len(entry.rounds_us) == 3 for entry in times.values()
    )


@pytest.fixture(scope="module")
def trained(digits):
    model = snn.mlp([64, 48, 32, 10], seed=1)
    snn.train(model, *digits[:2], epochs=10, batch_size=32)
    return model


def test_sensitivity_prunes_one_layer_at_a_time(trained, digits):
    X, y = digits[:2]
    found = snn.sensitivity(trained, X, y, sparsities=(0.5, 0.9), keep=-1)
    assert (found.loss, found.score) == evaluate(trained, X, y)
    assert [(row["layer"], row["sparsity"]) for row in found.rows] == [(0, 0.5), (0, 0.9), (1, 0.5), (1, 0.9)]
    for row in found.rows:
        pruned = snn.prune(trained, sparsity={row["layer"]: row["sparsity"]})
        assert (row["loss"], row["score"]) == evaluate(pruned, X, y)
    assert json.loads(json.dumps(found.to_dict()))["rows"] == found.rows
    assert [row["sparsity"] for row in found.of_layer(1)] == [0.5, 0.9]


def test_the_cheapest_combination_is_the_best_of_all(rng):
    for _ in range(30):
        choices = [
            [
                {"latency_us": float(rng.integers(1, 20)), "loss_added": float(rng.integers(0, 15))}
                for _ in range(rng.integers(1, 5))
            ]
            for _ in range(rng.integers(1, 5))
        ]
        budget = float(rng.integers(5, 50))
        every = [
            (sum(row["loss_added"] for row in rows), sum(row["latency_us"] for row in rows))
            for rows in itertools.product(*choices)
        ]
        within = [loss for loss, time in every if time <= budget]
        picked = allocation.cheapest(choices, budget)
        if within:
            assert sum(row["loss_added"] for row in picked) == min(within)
            assert sum(row["latency_us"] for row in picked) <= budget
        else:
            assert sum(row["latency_us"] for row in picked) == min(time for _, time in every)


def test_allocation_meets_its_budget_with_the_least_loss(trained, digits, known_times):
    X, y = digits[:2]
    measured = snn.sensitivity(trained, X, y, sparsities=(0.5, 0.9))
    found = snn.allocate(trained, X, y, max_latency_us=2000, measured=measured)
    pruned = snn.prune(trained, sparsity=found.sparsity)
    assert found.latency_us == pruned.nnz <= 2000
    best = np.inf
    for choice in itertools.product((0.0, 0.5, 0.9), repeat=3):
        sizes = [layer.weight.size for layer in trained.linear_layers]
        if sum(round((1 - s) * size) for s, size in zip(choice, sizes, strict=True)) <= 2000:
            rows = [measured.of_layer(layer) for layer in range(3)]
            added = [
                max(0.0, next(row["loss"] for row in rows[layer] if row["sparsity"] == s) - measured.loss)
                for layer, s in enumerate(choice)
                if s
            ]
            best = min(best, sum(added))
    assert found.loss_added == pytest.approx(best)
    assert json.loads(json.dumps(found.to_dict()))["latency_us"] == found.latency_us


def test_allocation_of_an_impossible_budget_is_an_error(trained, digits, known_times):
    before = [layer.weight.copy() for layer in trained.linear_layers]
    with pytest.raises(ValueError, match="max_latency_us is met by no combination of sparsities: got 5"):
        snn.allocate(trained, *digits[:2], max_latency_us=5, sparsities=(0.5,))
    for layer, weight in zip(trained.linear_layers, before, strict=True):
        np.testing.assert_array_equal(layer.weight, weight)


def test_the_display_draws_scores_errors_and_latency(selection, tmp_path):
    display = snn.SparsityDisplay.from_results(selection)
    score_axes, latency_axes = display.axes_
    line = score_axes.containers[0].lines[0]
    np.testing.assert_allclose(line.get_ydata().astype(float), [row.mean for row in selection.candidates])
    assert score_axes.containers[0].has_yerr
    dense = [line for line in score_axes.lines if line.get_label() == "dense"]
    assert dense[0].get_ydata()[0] == selection.dense.mean
    np.testing.assert_allclose(
        latency_axes.lines[0].get_ydata().astype(float), [row.latency_us for row in selection.candidates]
    )
    display.save(tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
    page = display.to_html()
    assert "data:image/png;base64," in page and "http" not in page.replace("<!doctype html>", "")
    assert page.count("<tr") == 5 and page.count('class="chosen"') == 1


def test_the_display_takes_plain_data_and_axes(selection):
    from matplotlib.figure import Figure

    axes = Figure().subplots(1, 2)
    display = snn.SparsityDisplay.from_results(selection.to_dict(), axes=axes)
    assert display.axes_[0] is axes[0] and display.figure_ is axes[0].figure
    with pytest.raises(TypeError, match="results must be what select_sparsity returned, got list"):
        snn.SparsityDisplay.from_results([])
