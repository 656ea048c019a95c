"""Masked movement against float64 numpy; weights that return, momentum, checkpoints, prune, bad input."""

import numpy as np
import pytest

import sparsenn as snn

EPS = float(np.finfo(np.float32).eps)


def network(seed=1):
    return snn.mlp([6, 12, 8, 3], activation="tanh", seed=seed)


def data_of(rng, samples=40):
    X = rng.standard_normal((samples, 6)).astype(np.float32)
    return X, (X[:, 0] > 0) + (X[:, 1] > 0).astype(int)


def by_hand(model, X, y, *, rate, count, updates, warmup, sparsity):
    """In float64, weights of all layers ranked together but for the last, which is not hidden.

    -> the weights as they are without a mask, the masks and the movements; each after count whole batches.
    """
    W = [layer.weight.astype(np.float64) for layer in model.linear_layers]
    b = [layer.bias.astype(np.float64) for layer in model.linear_layers]
    masks, total = [np.ones(own.shape, bool) for own in W], [np.zeros_like(own) for own in W]
    for step in range(1, count + 1):
        used = [own * mask for own, mask in zip(W, masks, strict=True)]
        values = [X.astype(np.float64).T]
        for number, (weight, bias) in enumerate(zip(used, b, strict=True)):
            z = weight @ values[-1] + bias[:, np.newaxis]
            values.append(np.tanh(z) if number < len(W) - 1 else z)
        powers = np.exp(values[-1] - values[-1].max(axis=0))
        slope = powers / powers.sum(axis=0)
        slope[y, np.arange(len(y))] -= 1
        slope /= len(y)
        for number in range(len(W) - 1, -1, -1):
            gradient, of_bias = slope @ values[number].T, slope.sum(axis=1)
            slope = (used[number].T @ slope) * (1 - values[number] ** 2)
            total[number] -= W[number] * gradient
            W[number] -= rate * gradient * masks[number]
            b[number] -= rate * of_bias
        share = 1 - (1 - min(max(0, step - warmup) / (updates - warmup), 1)) ** 3
        ranked = np.concatenate([own.reshape(-1) for own in total[:-1]])
        lowest = np.sort(ranked)[: round(sparsity * share * ranked.size)]
        for number in range(len(W) - 1):
            masks[number] = ~np.isin(total[number], lowest)
    return W, masks, total


@pytest.mark.parametrize("count", [1, 3, 9, 25])
def test_weights_masks_and_movements_are_those_of_the_formulas(rng, count):
    model, (X, y) = network(), data_of(rng)
    settings = {"updates": 9, "warmup": 2, "sparsity": 0.75}
    W, masks, total = by_hand(model, X, y, rate=0.2, count=count, **settings)
    masked = snn.MaskedMovement(model, keep=-1, **settings)
    snn.train(
        model, X, y, epochs=count, batch_size=40, shuffle=False, optimizer="sgd", learning_rate=0.2,
        callbacks=[masked],
    )  # fmt: skip
    rounding = 2 * EPS * count * 3 * (12 + 40)  # as in test_prune_movement.py
    for layer, score, weight, mask, wanted in zip(
        model.linear_layers, masked.scores(), W, masks, total, strict=True
    ):
        np.testing.assert_array_equal(layer.weight != 0, mask)
        np.testing.assert_allclose(layer.weight, weight * mask, rtol=0, atol=rounding)
        np.testing.assert_allclose(score, wanted, rtol=0, atol=rounding * max(1, abs(wanted).max()))
    gone = sum(np.count_nonzero(~mask) for mask in masks)
    assert gone == round({1: 0, 3: 0.75 * (1 - (6 / 7) ** 3)}.get(count, 0.75) * (72 + 96))


class Watch(snn.MaskedMovement):
    """Notes the model's first weight, and what stands behind it, after each update."""

    def __init__(self, model, **options):
        super().__init__(model, **options)
        self.seen = []

    def moved(self, trainer):
        super().moved(trainer)
        self.seen.append(trainer.model.linear_layers[0].weight.copy())


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "sgd"])
def test_hidden_weights_come_back_as_they_were(rng, optimizer):
    """Whatever an optimizer remembers."""
    model, (X, y) = network(), data_of(rng, 80)
    watch = Watch(model, sparsity=0.6, updates=20, warmup=3)
    snn.train(
        model, X, y, epochs=20, batch_size=8, optimizer=optimizer, learning_rate=0.02, callbacks=[watch]
    )
    returned, seen = 0, np.array(watch.seen)
    for before, now, row in zip(seen, seen[1:], range(1, len(seen)), strict=False):
        for place in zip(*np.nonzero((before == 0) & (now != 0)), strict=True):
            last = np.flatnonzero(seen[:row, place[0], place[1]])[-1]
            # the update behind which it was hidden moved it, too: by no more than one step
            assert abs(now[place] - seen[last][place]) <= 0.02 * 12
            returned += 1
    assert returned > 0


def test_a_weight_keeps_its_value_while_it_is_hidden(rng):
    model, (X, y) = network(), data_of(rng)
    masked = snn.MaskedMovement(model, sparsity=0.9, updates=2, warmup=1)
    snn.train(model, X, y, epochs=2, batch_size=40, callbacks=[masked])
    hidden = {name: array.copy() for name, array in masked.to_arrays().items() if name.startswith("hidden")}
    assert sum(np.count_nonzero(own) for own in hidden.values()) > 100
    snn.train(model, X, y, epochs=1, batch_size=40, callbacks=[masked])
    for name, now in masked.to_arrays().items():
        if name in hidden:
            both = (hidden[name] != 0) & (now != 0)
            np.testing.assert_array_equal(hidden[name][both], now[both])


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_prune_removes_what_is_hidden(rng, sparsity, scope):
    """The pruned model gives what the masked one gives."""
    model, (X, y) = network(), data_of(rng)
    masked = snn.MaskedMovement(model, sparsity=sparsity, updates=8, scope=scope)
    assert masked.sparsity == 0
    snn.train(model, X, y, epochs=5, batch_size=10, callbacks=[masked])
    assert masked.sparsity == sparsity
    pruned = snn.prune(model, sparsity=sparsity, criterion="movement", scope=scope)
    for layer, other in zip(pruned.linear_layers, model.linear_layers, strict=True):
        np.testing.assert_array_equal(layer.weight.toarray(), other.weight)
    history = snn.train(pruned, X, y, epochs=3, batch_size=10)
    assert np.isfinite(history.loss).all()


def test_encoders_take_it(rng):
    """Their layers over tokens hold packed copies of weights, which follow."""
    model = snn.encoder(20, 8, 2, heads=2, tokens=5)
    ids = rng.integers(0, 20, (24, 5))
    masked = snn.MaskedMovement(model, sparsity=0.8, updates=6, keep=-1)
    seen = []

    def check(trainer, row):
        loss, _ = trainer.evaluate_prepared(trainer.prepare(ids, ids[:, 0] % 2, ("X", "y")))
        trainer.refresh()
        seen.append((loss, trainer.evaluate(ids, ids[:, 0] % 2)[0], row["epoch"]))

    snn.train(model, ids, ids[:, 0] % 2, epochs=5, batch_size=8, callbacks=[masked, check])
    assert len(seen) == 5 and all(one == other for one, other, _ in seen)
    zeros = sum(np.count_nonzero(layer.weight == 0) for layer in model.linear_layers[:-1])
    assert zeros == round(0.8 * sum(layer.weight.size for layer in model.linear_layers[:-1]))


class Cut(Exception):
    """An interruption."""


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_resumed_run_is_the_uninterrupted_one(rng, tmp_path, optimizer):
    X, y = data_of(rng)
    options = {"epochs": 7, "batch_size": 16, "optimizer": optimizer}

    def masked(model):
        return snn.MaskedMovement(model, sparsity=0.7, updates=15, keep=-1)

    whole, parts, fresh = (network() for _ in range(3))
    snn.train(whole, X, y, callbacks=[masked(whole)], **options)

    def cut(trainer, row):
        if row["epoch"] == 3:
            raise Cut

    path = tmp_path / "run.npz"
    with pytest.raises(Cut):
        snn.train(parts, X, y, checkpoint=path, callbacks=[masked(parts), cut], **options)
    recorder = masked(fresh)
    snn.train(fresh, X, y, checkpoint=path, resume=True, callbacks=[recorder], **options)
    for one, other in zip(fresh.linear_layers, whole.linear_layers, strict=True):
        np.testing.assert_array_equal(one.weight, other.weight)
    assert recorder.sparsity == 0.7


def test_bad_input(rng):
    model = network()
    for options, message in (
        ({"sparsity": 1.0}, "sparsity must be in"),
        ({"updates": 1}, "updates must be"),
        ({"warmup": 0}, "warmup must be"),
        ({"warmup": 10}, "updates must be"),
        ({"scope": "all"}, "scope must be 'global' or 'layer', got 'all'"),
        ({"schedule": "square"}, "schedule must be"),
        ({"keep": (0, 1, 2)}, "keep must"),
    ):
        with pytest.raises(ValueError, match=message):
            snn.MaskedMovement(model, **{"updates": 10, **options})
    sparse = snn.prune(model, sparsity=0.5, keep=-1)
    with pytest.raises(ValueError, match="MaskedMovement needs dense layers.* got the sparse layer 0"):
        snn.MaskedMovement(sparse, updates=10)
    snn.MaskedMovement(sparse, updates=10, keep=(0, 1))
