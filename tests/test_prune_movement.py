"""Movement: its sum against float64 numpy; structures, schedules, regrowth, checkpoints, bad input."""

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.prune.criteria import find_criterion
from sparsenn.prune.csr import stored_positions

EPS = float(np.finfo(np.float32).eps)


def movement(model):
    return find_criterion("movement")(model, None)


def data_of(rng, samples=40, inputs=6, classes=3):
    X = rng.standard_normal((samples, inputs)).astype(np.float32)
    return X, (X[:, 0] > 0) + (X[:, 1] > 0).astype(int) if classes == 3 else X[:, :classes]


def network(sparsity=0.0, seed=1):
    model = snn.mlp([6, 12, 8, 3], activation="tanh", seed=seed)
    return snn.prune(model, sparsity=sparsity, keep=-1) if sparsity else model


def dense_of(layer):
    return layer.weight.toarray() if layer.sparse else layer.weight


def sgd_by_hand(model, X, y, rate, batches):
    """Trains a copy in float64 by the formulas -> movement (out, in) of each layer.

    tanh between the layers, cross-entropy behind the last; weights that are 0 at first stay so.
    """
    W = [dense_of(layer).astype(np.float64) for layer in model.linear_layers]
    b = [layer.bias.astype(np.float64) for layer in model.linear_layers]
    stored = [weight != 0 for weight in W]
    total = [np.zeros_like(weight) for weight in W]
    for rows in batches:
        values = [X[rows].astype(np.float64).T]
        for number, (weight, bias) in enumerate(zip(W, b, strict=True)):
            z = weight @ values[-1] + bias[:, np.newaxis]
            values.append(np.tanh(z) if number < len(W) - 1 else z)
        powers = np.exp(values[-1] - values[-1].max(axis=0))
        slope = powers / powers.sum(axis=0)
        slope[y[rows], np.arange(len(rows))] -= 1
        slope /= len(rows)
        slopes = []
        for number in range(len(W) - 1, -1, -1):
            slopes.append((slope @ values[number].T * stored[number], slope.sum(axis=1)))
            slope = (W[number].T @ slope) * (1 - values[number] ** 2)
        for number, (of_weight, of_bias) in enumerate(reversed(slopes)):
            total[number] -= W[number] * of_weight
            W[number] -= rate * of_weight
            b[number] -= rate * of_bias
    return total


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
@pytest.mark.parametrize(("batch", "epochs"), [(40, 1), (40, 6), (7, 2), (1, 1)])
def test_it_is_the_sum_of_weight_times_gradient(rng, sparsity, batch, epochs):
    model, (X, y) = network(sparsity), data_of(rng)
    batches = [np.arange(40)[start : start + batch] for start in range(0, 40, batch)] * epochs
    wanted = sgd_by_hand(model, X, y, 0.1, batches)
    snn.train(
        model, X, y, epochs=epochs, batch_size=batch, shuffle=False, optimizer="sgd", learning_rate=0.1,
        callbacks=[snn.RecordMovement(model)],
    )  # fmt: skip
    for layer, score, other in zip(model.linear_layers, movement(model), wanted, strict=True):
        other = other[stored_positions(layer.weight)].reshape(score.shape)
        # Each step's slopes go through three layers of sums of at most 12 + 40 terms, and what a step rounds
        # moves the weights of those behind it.
        rounding = EPS * len(batches) * 3 * (12 + 40) * 2
        np.testing.assert_allclose(score, other, rtol=0, atol=rounding * max(1, abs(other).max()))
        assert score.dtype == np.float32 and (abs(score) > 100 * rounding).any()


def test_dropped_weights_do_not_move(rng):
    """A dropped weight has no gradient in that step: alone in its layer, it moves in some steps only."""
    model, (X, y) = snn.Model([snn.Linear(np.ones((3, 6)) / 2, np.zeros(3))]), data_of(rng)
    steps = []

    class Watch(snn.RecordMovement):
        def gradients(self, trainer):
            before = self.scores()[0].copy()
            super().gradients(trainer)
            steps.append(np.count_nonzero(self.scores()[0] != before))

    snn.train(
        model, X, y, epochs=20, batch_size=40, optimizer="sgd", weight_drop=0.5, callbacks=[Watch(model)]
    )
    assert 0.25 < np.mean(steps) / 18 < 0.75


def test_weights_that_were_pushed_to_zero_go_first(rng):
    """Of two features that start alike, the one that the target does not need loses its weights."""
    X = rng.standard_normal((200, 2)).astype(np.float32)
    model = snn.Model([snn.Linear(np.full((1, 2), 0.5), np.zeros(1))])
    snn.train(
        model, X, X[:, :1], epochs=15, loss="mse", optimizer="sgd", learning_rate=0.05,
        callbacks=[snn.RecordMovement(model)],
    )  # fmt: skip
    (score,) = movement(model)
    assert score[0, 0] > 0 > score[0, 1]
    assert snn.prune(model, sparsity=0.5, criterion="movement").linear_layers[0].weight.indices == [0]


def trained(rng, **options):
    model, (X, y) = network(), data_of(rng)
    snn.train(model, X, y, epochs=3, batch_size=10, callbacks=[snn.RecordMovement(model)], **options)
    return model, X, y


@pytest.mark.parametrize(
    "options",
    [
        {"sparsity": 0.5},
        {"sparsity": 0.5, "scope": "layer"},
        {"sparsity": {0: 0.5}},
        {"threshold": 0.0},
        {"percentile": 40},
        {"structure": "block", "block": (4, 2), "sparsity": 0.5, "keep": -1},
        {"structure": "n:m", "nm": (1, 2)},
    ],
)
def test_structures_and_amounts_rank_by_it(rng, options):
    model, _, _ = trained(rng)
    scores = movement(model)
    pruned = snn.prune(model, criterion="movement", **options)
    wanted = snn.prune(model, criterion=lambda model, data: scores, **options)
    assert 0 < pruned.sparsity < 1
    for layer, other, score, own in zip(
        pruned.linear_layers, wanted.linear_layers, movement(pruned), scores, strict=True
    ):
        np.testing.assert_array_equal(dense_of(layer), dense_of(other))
        np.testing.assert_array_equal(score, own[stored_positions(layer.weight)].reshape(score.shape))
    snn.train(pruned, *data_of(rng), epochs=1, callbacks=[snn.RecordMovement(pruned)])
    assert any(
        (new != old[stored_positions(layer.weight)].reshape(new.shape)).any()
        for layer, new, old in zip(pruned.linear_layers, movement(pruned), scores, strict=True)
    )


def test_neurons_go_by_it_and_it_stays_with_those_that_are_left(rng):
    model, X, y = trained(rng)
    scores = movement(model)
    small = snn.prune(model, criterion="movement", structure="neuron", sparsity=0.5, data=X)
    assert [layer.shape for layer in small.linear_layers] != [layer.shape for layer in model.linear_layers]
    left = [set(score.reshape(-1).tolist()) for score in movement(small)]
    assert all(own <= set(score.reshape(-1).tolist()) for own, score in zip(left, scores, strict=True))
    smaller, _ = snn.prune_neurons(model, X, y, width=4, criterion="movement", epochs_per_step=1)
    assert [layer.shape[0] for layer in smaller.linear_layers] == [4, 4, 3]


@pytest.mark.parametrize("schedule", snn.schedules())
def test_prune_iteratively_records_between_the_steps(rng, schedule):
    model, (X, y) = network(), data_of(rng)
    pruned, trace = snn.prune_iteratively(
        model, X, y, sparsity=0.8, steps=3, schedule=schedule, criterion="movement", drop_dead=False,
        batch_size=8, epochs_per_step=4,
    )  # fmt: skip
    assert trace[-1]["sparsity"] == pytest.approx(0.8, abs=1 / 192) and len(trace) == 3
    assert all(score.any() for score in movement(pruned))
    with pytest.raises(ValueError, match="criterion 'movement' needs"):
        movement(model)  # which was left as it is
    again, _ = snn.prune_iteratively(
        model, X, y, sparsity=0.8, steps=3, schedule=schedule, criterion="movement", drop_dead=False,
        batch_size=8, epochs_per_step=4,
    )  # fmt: skip
    for one, other in zip(pruned.linear_layers, again.linear_layers, strict=True):
        np.testing.assert_array_equal(dense_of(one), dense_of(other))


def test_a_weight_that_regrow_brings_begins_at_zero(rng):
    model, (X, y) = network(sparsity=0.6), data_of(rng)
    seen = []

    class Watch(snn.RecordMovement):
        def __call__(self, trainer, row):
            weights = [layer.weight for layer in model.linear_layers[:2]]
            seen.append(
                [(weight.toarray() != 0, score) for weight, score in zip(weights, as_dense(), strict=True)]
            )

    def as_dense():
        made = []
        for layer, score in zip(model.linear_layers[:2], movement(model)[:2], strict=True):
            whole = np.full(layer.shape, np.nan)
            whole[stored_positions(layer.weight)] = score
            made.append(whole)
        return made

    snn.train(
        model, X, y, epochs=2, batch_size=40, optimizer="sgd", learning_rate=0.1, shuffle=False,
        callbacks=[Watch(model)], regrow=snn.Regrow(fraction=0.5, until=3, samples=40),
    )  # fmt: skip
    batches = [np.arange(40)]
    wanted = sgd_by_hand(network(sparsity=0.6), X, y, 0.1, batches)
    grown = 0
    for (present, score), other in zip(seen[0], wanted, strict=False):
        stayed = np.isfinite(score) & present
        np.testing.assert_allclose(score[stayed], other[stayed], rtol=0, atol=1e-5)
        new = np.isfinite(score) & ~present
        assert not score[new].any()
        grown += np.count_nonzero(new)
    assert grown > 0


class Cut(Exception):
    """An interruption."""


@pytest.mark.parametrize("regrow", [None, snn.Regrow(fraction=0.3, until=5)])
@pytest.mark.parametrize("sparsity", [0.0, 0.6])
def test_a_resumed_run_has_the_record_of_the_uninterrupted_one(rng, tmp_path, sparsity, regrow):
    X, y = data_of(rng)
    options = {"epochs": 6, "batch_size": 16, "regrow": regrow}
    whole, parts, fresh = (network(sparsity) for _ in range(3))
    snn.train(whole, X, y, callbacks=[snn.RecordMovement(whole)], **options)

    def cut(trainer, row):
        if row["epoch"] == 2:
            raise Cut

    path = tmp_path / "run.npz"
    with pytest.raises(Cut):
        snn.train(parts, X, y, checkpoint=path, callbacks=[snn.RecordMovement(parts), cut], **options)
    snn.train(fresh, X, y, checkpoint=path, resume=True, callbacks=[snn.RecordMovement(fresh)], **options)
    for one, other in zip(movement(fresh), movement(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    assert snn.Trainer.load(path).step_count == 18, "a trainer takes what it needs of it"


def test_checkpoints_of_another_run_are_refused(rng, tmp_path):
    model, (X, y) = network(), data_of(rng)
    options = {"epochs": 1, "checkpoint": tmp_path / "run.npz"}
    snn.train(model, X, y, **options)
    before = [layer.weight.copy() for layer in model.linear_layers]
    recorder = snn.RecordMovement(model)
    with pytest.raises(ValueError, match="callbacks must be those of .* record nothing, got movement"):
        snn.train(model, X, y, resume=True, callbacks=[recorder], **options)
    other = model.copy()
    snn.train(other, X, y, callbacks=[snn.RecordMovement(other)], **options)
    with pytest.raises(ValueError, match="callbacks must be those of .* record movement, got nothing"):
        snn.train(model, X, y, resume=True, **options)
    for layer, weight in zip(model.linear_layers, before, strict=True):
        np.testing.assert_array_equal(layer.weight, weight)


def test_a_damaged_record_is_refused(rng, tmp_path):
    model, (X, y) = network(0.5), data_of(rng)
    path = tmp_path / "run.npz"
    snn.train(model, X, y, epochs=1, checkpoint=path, callbacks=[snn.RecordMovement(model)])
    with np.load(path) as archive:
        arrays = dict(archive)
    for name, array in (
        ("callback.movement.0", arrays["callback.movement.0"][:-1]),
        ("callback.movement.0", arrays["callback.movement.0"].astype(np.int32)),
        ("callback.movement.7", arrays["callback.movement.0"]),
    ):
        np.savez(path, **{**arrays, name: array})
        recorder = snn.RecordMovement(model)
        before = [score.copy() for score in recorder.scores()]
        with pytest.raises(snn.FormatError, match="callback.movement"):
            snn.train(model, X, y, epochs=2, checkpoint=path, resume=True, callbacks=[recorder])
        for one, other in zip(before, recorder.scores(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_select_sparsity_records_in_every_fold(rng):
    X, y = data_of(rng, samples=60)
    found = snn.select_sparsity(
        network, X, y, candidates=(0.5,), cv=2, max_drop=1.0, fit={"epochs": 2},
        prune={"criterion": "movement", "steps": 1, "epochs_per_step": 1},
    )  # fmt: skip
    assert found.sparsity == 0.5


def test_without_a_record_it_is_refused(rng):
    model, (X, y) = network(), data_of(rng)
    with pytest.raises(
        ValueError, match="criterion 'movement' needs the weights' gradients .* layer 0: train"
    ):
        snn.prune(model, criterion="movement")
    with pytest.raises(ValueError, match="criterion 'movement' needs"):
        snn.prune_iteratively(model, X, y, criterion="movement", epochs_per_step=0)
    with pytest.raises(TypeError, match="model must be a Model, got ndarray"):
        snn.RecordMovement(np.ones(3))
    with pytest.raises(
        ValueError, match="RecordMovement must be given the model that is trained, got another"
    ):
        snn.train(model, X, y, epochs=1, callbacks=[snn.RecordMovement(model.copy())])


def test_scores_that_are_no_record_of_the_model_are_refused():
    model = snn.mlp([6, 5, 4], seed=0)
    sound = [np.ones((5, 6), np.float32), np.ones((4, 5), np.float32)]
    record = snn.RecordMovement(model, scores=sound)
    for bad, words in (
        (5, "scores must be a list of 2, one a layer, got int"),
        ([], "scores must be a list of 2, one a layer, got 0"),
        (sound[:1], "scores must be a list of 2, one a layer, got 1"),
        ([sound[0], sound[1].T], r"scores\[1\] must have shape \(4, 5\), got \(5, 4\)"),
        ([sound[0].reshape(-1), sound[1]], r"scores\[0\] must have shape \(5, 6\), got \(30,\)"),
        ([0 * sound[0], np.nan * sound[1]], r"scores\[1\] must be finite, got nan"),
        ([1e300 * sound[0].astype(np.float64), sound[1]], r"scores\[0\] must be finite as float32"),
        ([0 * sound[0], 1j * sound[1]], r"scores\[1\] must be an array of real numbers"),
        ([0 * sound[0], "x"], r"scores\[1\] must be an array of real numbers"),
    ):
        with pytest.raises((snn.ArgumentError, TypeError), match=words):
            snn.RecordMovement(model, scores=bad)
        assert all((own == 1).all() for own in record.scores()), "nothing has changed"


def test_scores_are_copies():
    model = snn.mlp([6, 5, 4], seed=0)
    record = snn.RecordMovement(model)
    for score in record.scores():
        score += 1
    assert not any(score.any() for score in record.scores())
