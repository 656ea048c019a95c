"""Sparse from the start: random patterns, their initialisation, and regrowing them."""

import tracemalloc

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.sparse_init import random_layer, stored_counts


@pytest.mark.parametrize("pattern", ["erdos_renyi", "random"])
@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("sizes", [(64, 100, 10), (1, 1), (7, 300, 20, 1)])
def test_sparsity_is_met_to_within_a_weight(sizes, sparsity, pattern):
    model = snn.mlp(sizes, sparsity=sparsity, pattern=pattern, seed=1)
    total = sum(a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True))
    assert abs(model.nnz - (1 - sparsity) * total) <= 1
    for layer in model.linear_layers:
        assert layer.sparse == (layer.nnz < layer.shape[0] * layer.shape[1])
        if pattern == "random" and layer.sparse:
            assert abs(layer.nnz - (1 - sparsity) * layer.shape[0] * layer.shape[1]) <= 1


def test_erdos_renyi_keeps_more_of_small_layers():
    shapes = [(1000, 100), (1000, 1000), (10, 1000)]
    counts = stored_counts(shapes, 0.95, "erdos_renyi")
    assert counts[2] == 10_000  # would be more than full
    ratio = (counts[0] / 1e5) / (counts[1] / 1e6)
    assert ratio == pytest.approx((1100 / 1e5) / (2000 / 1e6), rel=1e-3)


def test_places_are_uniform_and_weights_scaled_by_fan_in():
    layer = random_layer((400, 300), 12_000, np.random.default_rng(0), rectified=True)
    layer.sort_indices()
    assert layer.nnz == 12_000 and layer.has_canonical_format
    for counts, mean in ((np.diff(layer.indptr), 30), (np.bincount(layer.indices, minlength=300), 40)):
        assert abs(counts - mean).max() < 6 * np.sqrt(mean)
    fans = np.repeat(np.diff(layer.indptr), np.diff(layer.indptr))
    variance = np.mean(layer.data.astype(np.float64) ** 2 * fans)
    assert abs(variance - 2) < 5 * 2 * np.sqrt(2 / 12_000)


def test_the_seed_decides():
    models = [snn.mlp([30, 40, 5], sparsity=0.8, seed=seed) for seed in (1, 1, 2)]
    weights = [model.layers[0].weight for model in models]
    np.testing.assert_array_equal(weights[0].toarray(), weights[1].toarray())
    assert (weights[0].toarray() != weights[2].toarray()).any()


def test_nothing_dense_is_made_for_a_sparse_layer():
    tracemalloc.start()
    snn.mlp([8192, 8192], sparsity=0.999, seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8192 * 8192 // 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 1.0}, r"sparsity must be in \[0, 1\), got 1"),
        ({"sparsity": 0.5, "pattern": "ring"}, "pattern must be one of erdos_renyi, random, got 'ring'"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        snn.mlp([3, 3], **options)


def dense_gradient(model, X, y, index):
    """The gradient of every weight of a layer, by a dense copy of the model."""
    layers = [
        snn.Linear(layer.weight.toarray() if layer.sparse else layer.weight, layer.bias)
        if isinstance(layer, snn.Linear)
        else layer
        for layer in model.layers
    ]
    trainer = snn.Trainer(snn.Model(layers), optimizer="sgd", learning_rate=1e-30)
    trainer.step(X, y)
    return [p.gradient for p in trainer.network.parameters if p.is_weight][index]


def test_regrow_drops_the_smallest_and_grows_the_steepest(rng):
    model = snn.mlp([30, 50, 4], sparsity=0.8, seed=3)
    X, y = rng.standard_normal((70, 30), dtype=np.float32), np.arange(70) % 4
    trainer = snn.Trainer(model)
    trainer.step(X, y)
    before, states = (
        model.copy(),
        [{k: v.copy() for k, v in p.state.items()} for p in trainer.network.parameters],
    )
    weight = before.layers[0].weight
    gradient = np.abs(dense_gradient(before, X, y, 0))
    count = snn.regrow(trainer, X, y, fraction=0.25)
    new = model.layers[0].weight
    replaced = int(0.25 * weight.nnz)
    assert count >= replaced and new.nnz == weight.nnz and new.has_sorted_indices
    had, has = weight.toarray(), np.zeros(weight.shape, bool)
    stored = np.zeros(weight.shape, bool)
    stored[weight.tocoo().row, weight.tocoo().col] = True
    has[new.tocoo().row, new.tocoo().col] = True
    gone, grown, kept = stored & ~has, has & ~stored, stored & has
    assert gone.sum() == grown.sum() == replaced
    assert np.abs(had[gone]).max() <= np.abs(had[kept]).min()
    np.testing.assert_array_equal(new.toarray()[kept], had[kept])
    assert (new.toarray()[grown] == 0).all()
    # Near-ties may fall either way: two float32 gradients of 70 terms differ by their rounding.
    assert gradient[grown].min() >= gradient[~stored & ~has].max() - 200 * 2**-23 * gradient.max()
    mean = np.zeros(weight.shape, np.float32)
    mean[stored] = states[0]["mean"]
    np.testing.assert_array_equal(trainer.network.parameters[0].state["mean"], np.where(kept, mean, 0)[has])
    trainer.step(X, y)  # goes on with the new pattern
    assert trainer.evaluate(X, y) == snn.Trainer(model.copy()).evaluate(X, y)


def test_train_regrows_between_epochs_and_keeps_nnz(rng):
    model = snn.mlp([10, 40, 3], sparsity=0.7, seed=1)
    before = model.copy()
    X, y = rng.standard_normal((60, 10), dtype=np.float32), np.arange(60) % 3
    history = snn.train(
        model,
        X,
        y,
        epochs=6,
        regrow=snn.Regrow(every=2),
        validation_split=0.3,
        early_stopping=2,
        learning_rate=0.01,
    )
    assert model.nnz == before.nnz
    assert (model.layers[0].weight.indices != before.layers[0].weight.indices).any()
    assert history.best_epoch is not None
    assert snn.Trainer(model).evaluate(X, y)[0] < snn.Trainer(before).evaluate(X, y)[0]


def test_fractions_fall_to_zero():
    regrow = snn.Regrow(fraction=0.4, every=2, until=8)
    fractions = [regrow.fraction_at(epoch, 100) for epoch in range(1, 12)]
    assert fractions[1] == pytest.approx(0.2 * (1 + np.cos(np.pi / 4)))
    assert [fraction > 0 for fraction in fractions] == [e % 2 == 0 and e < 8 for e in range(1, 12)]
    assert fractions[1] > fractions[3] > fractions[5]
