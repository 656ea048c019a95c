"""Blocks, n:m, neurons, dead neurons, thresholds, percentiles and sparsities by layer."""

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.prune.structures.n_m import places_from_top

EPS = float(np.finfo(np.float32).eps)


def dense_of(layer):
    return layer.weight.toarray() if layer.sparse else layer.weight


def weights_of(model):
    return [dense_of(layer) for layer in model.linear_layers]


def sparse_version(model, sparsity=0.3):
    return snn.prune(model, sparsity=sparsity, criterion="random")


@pytest.mark.filterwarnings("ignore:pruned too far")
@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("block", [(16, 1), (1, 16), (4, 4), (8, 2), (1, 1)])
@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.9, 0.99])
def test_blocks_go_whole_by_their_mean_importance(scope, block, sparsity):
    model = snn.mlp([32, 48, 16], seed=5)
    pruned = snn.prune(model, structure="block", block=block, sparsity=sparsity, scope=scope)
    means, kept = [], []
    for before, after in zip(weights_of(model), weights_of(pruned), strict=True):
        shape = (before.shape[0] // block[0], block[0], before.shape[1] // block[1], block[1])
        blocks = (after != 0).reshape(shape).swapaxes(1, 2).reshape(shape[0] * shape[2], -1)
        assert (blocks.all(axis=1) | ~blocks.any(axis=1)).all()
        np.testing.assert_array_equal(after[after != 0], before[after != 0])
        kept.append(blocks.any(axis=1))
        means.append(np.abs(before).reshape(shape).mean(axis=(1, 3), dtype=np.float64).ravel())
    groups = (
        [(np.concatenate(means), np.concatenate(kept))]
        if scope == "global"
        else zip(means, kept, strict=True)
    )
    for mean, stays in groups:
        assert (~stays).sum() == min(round(sparsity * stays.size), stays.size - 1)
        if not stays.all():
            assert mean[~stays].max() <= mean[stays].min() * (1 + 4 * EPS)


def test_blocks_of_a_csr_model():
    dense = snn.mlp([32, 48, 16], seed=5)
    once = snn.prune(dense, structure="block", block=(4, 4), sparsity=0.4)
    twice = snn.prune(once, structure="block", block=(4, 4), sparsity=0.8)
    at_once = snn.prune(dense, structure="block", block=(4, 4), sparsity=0.8)
    for one, other in zip(weights_of(twice), weights_of(at_once), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("nm", [(2, 4), (1, 4), (4, 8), (1, 1), (3, 4)])
@pytest.mark.parametrize("sparse", [False, True])
def test_n_of_every_m_inputs_stay(nm, sparse):
    n, m = nm
    model = snn.mlp([16, 24, 8], seed=2)
    given = sparse_version(model) if sparse else model
    pruned = snn.prune(given, structure="n:m", nm=nm)
    for before, after, layer in zip(weights_of(given), weights_of(pruned), pruned.linear_layers, strict=True):
        old = np.abs(before).reshape(-1, m)
        new = (after != 0).reshape(-1, m)
        np.testing.assert_array_equal(new.sum(axis=1), np.minimum(n, (old != 0).sum(axis=1)))
        for magnitudes, stays in zip(old, new, strict=True):
            if stays.any() and not stays.all():
                assert magnitudes[~stays].max() <= magnitudes[stays].min()
        if not sparse:
            assert layer.nnz * m == after.size * n


def test_places_from_top(rng):
    group = np.sort(rng.integers(0, 7, 60))
    score = rng.integers(0, 4, 60).astype(float)
    for index, place in enumerate(places_from_top(group, score)):
        rivals = [i for i in range(60) if group[i] == group[index]]
        above = sum(score[i] > score[index] or (score[i] == score[index] and i > index) for i in rivals)
        assert place == above


def model_with_constant_neurons(activation):
    """Neurons 1, 4 and 7 of the first hidden layer have no inputs, so they give activation(bias)."""
    model = snn.mlp([6, 9, 7, 3], activation=activation, seed=8)
    first, second, _ = model.linear_layers
    weight = first.weight.copy()
    weight[[1, 4, 7]] = 0
    first.weight = weight
    first.bias, second.bias = np.linspace(-1, 2, 9), np.linspace(-1, 1, 7)
    return model


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "elu", "clipped_relu"])
@pytest.mark.parametrize("with_data", [False, True])
def test_removing_constant_neurons_changes_nothing(rng, activation, sparse, with_data):
    model = model_with_constant_neurons(activation)
    if sparse:
        model = snn.prune(model, sparsity=0)
    x = rng.normal(0, 1, (40, 6)).astype(np.float32)
    before = snn.reference(model, x)
    pruned = snn.prune(model, structure="neuron", sparsity={0: 3 / 9}, data=x if with_data else None)
    assert [layer.shape for layer in pruned.linear_layers] == [(6, 6), (7, 6), (3, 7)]
    assert all(layer.sparse == sparse for layer in pruned.linear_layers)
    np.testing.assert_allclose(snn.reference(pruned, x), before, rtol=0, atol=1e-6 * np.abs(before).max())
    dropped = snn.drop_dead_neurons(model)
    for one, other in zip(weights_of(dropped), weights_of(pruned), strict=True):
        np.testing.assert_array_equal(one, other)


def test_neurons_that_are_constant_on_the_data_are_folded_exactly(rng):
    """They have inputs, but those cancel on every sample of the data."""
    model = snn.mlp([4, 8, 3], activation="tanh", seed=1)
    weight = model.linear_layers[0].weight.copy()
    weight[2] = [0.5, -0.5, 0.25, -0.25]
    model.linear_layers[0].weight, model.linear_layers[0].bias = weight, np.linspace(-1, 1, 8)
    half = rng.normal(0, 1, (30, 2)).astype(np.float32)
    x = half[:, [0, 0, 1, 1]]
    before = snn.reference(model, x)

    def spare_the_others(given, data):
        scores = [np.ones(layer.shape) for layer in given.linear_layers]
        scores[0][2], scores[1][:, 2] = 0.1, 0.1
        return scores

    pruned = snn.prune(model, structure="neuron", sparsity=1 / 8, criterion=spare_the_others, data=x)
    assert pruned.linear_layers[0].shape == (7, 4)
    np.testing.assert_array_equal(pruned.linear_layers[0].weight, np.delete(weight, 2, axis=0))
    np.testing.assert_allclose(snn.reference(pruned, x), before, rtol=0, atol=1e-6 * np.abs(before).max())


def test_a_layer_without_bias_gets_one_for_what_is_folded():
    first = snn.Linear(np.array([[1.0, 2.0], [0.0, 0.0]]), [0.0, 3.0])
    model = snn.Model([first, snn.ReLU(), snn.Linear([[1.0, 2.0]])])
    dropped = snn.drop_dead_neurons(model)
    np.testing.assert_array_equal(dropped.linear_layers[1].weight, [[1]])
    np.testing.assert_array_equal(dropped.linear_layers[1].bias, [6])
    plain = snn.drop_dead_neurons(
        snn.Model([snn.Linear([[1.0], [0.0]]), snn.ReLU(), snn.Linear([[1.0, 2.0]])])
    )
    assert plain.linear_layers[1].bias is None


def test_neuron_importance_is_the_mean_of_what_comes_in_and_goes_out():
    model = snn.mlp([5, 8, 6, 4], seed=3)
    w = [np.abs(weight).astype(np.float64) for weight in weights_of(model)]
    first = w[0].mean(axis=1) + w[1].mean(axis=0)
    second = w[1].mean(axis=1) + w[2].mean(axis=0)
    cut = np.sort(np.concatenate([first, second]))[round(0.5 * 14)]
    pruned = snn.prune(model, structure="neuron", sparsity=0.5)
    stays = [first >= cut, second >= cut]
    np.testing.assert_array_equal(pruned.linear_layers[0].weight, weights_of(model)[0][stays[0]])
    np.testing.assert_array_equal(pruned.linear_layers[1].weight, weights_of(model)[1][stays[1]][:, stays[0]])
    np.testing.assert_array_equal(pruned.linear_layers[2].weight, weights_of(model)[2][:, stays[1]])
    np.testing.assert_array_equal(pruned.linear_layers[1].bias, model.linear_layers[1].bias[stays[1]])


@pytest.mark.parametrize("sparsity", [0.0, 0.2, 0.5, 0.75])
def test_neuron_sparsity_is_met_within_one_neuron(sparsity):
    model = snn.mlp([5, 37, 23, 4], seed=3)
    pruned = snn.prune(model, structure="neuron", sparsity=sparsity)
    left = sum(layer.shape[0] for layer in pruned.linear_layers[:-1])
    assert abs(60 * (1 - sparsity) - left) <= 1


def test_one_neuron_stays_in_every_layer():
    model = snn.mlp([5, 8, 6, 4], seed=3)
    pruned = snn.prune(model, structure="neuron", threshold=1e9)
    assert [layer.shape for layer in pruned.linear_layers] == [(1, 5), (1, 1), (4, 1)]


def test_neuron_pruning_shrinks_the_file_and_the_dense_work(tmp_path):
    model = snn.mlp([20, 200, 200, 10], seed=3)
    pruned = snn.prune(model, structure="neuron", sparsity=0.5, scope="layer")
    for name, one in (("before", model), ("after", pruned)):
        snn.save(one, tmp_path / name)
    assert (tmp_path / "after").stat().st_size < 0.5 * (tmp_path / "before").stat().st_size
    assert pruned.nnz < 0.5 * model.nnz and not any(layer.sparse for layer in pruned.linear_layers)


def test_dead_neurons_go_one_after_the_other(rng):
    """Neuron 2 of the second layer has no outputs; then neurons 0 and 3 of the first have none either."""
    model = snn.mlp([5, 6, 4, 3], activation="tanh", seed=3)
    _, second, third = model.linear_layers
    weight = second.weight.copy()
    weight[[0, 1, 3], 0] = 0
    weight[[0, 1, 3], 3] = 0
    second.weight = weight
    last = third.weight.copy()
    last[:, 2] = 0
    third.weight = last
    x = rng.normal(0, 1, (20, 5)).astype(np.float32)
    dropped = snn.drop_dead_neurons(model)
    assert [layer.shape for layer in dropped.linear_layers] == [(4, 5), (3, 4), (3, 3)]
    before = snn.reference(model, x)
    np.testing.assert_allclose(snn.reference(dropped, x), before, rtol=0, atol=1e-6 * np.abs(before).max())
    assert [layer.shape for layer in model.linear_layers] == [(6, 5), (4, 6), (3, 4)]


def test_drop_dead_as_an_option_of_prune(rng):
    model = snn.mlp([8, 30, 30, 4], activation="tanh", seed=3)
    for layer in model.linear_layers:
        layer.bias = rng.normal(0, 1, layer.shape[0])
    x = rng.normal(0, 1, (20, 8)).astype(np.float32)
    plain = snn.prune(model, sparsity=0.95)
    dropped = snn.prune(model, sparsity=0.95, drop_dead=True)
    assert sum(layer.shape[0] for layer in dropped.linear_layers) < 64 and dropped.nnz <= plain.nnz
    before = snn.reference(plain, x)
    np.testing.assert_allclose(snn.reference(dropped, x), before, rtol=0, atol=1e-6 * np.abs(before).max())
    again = snn.drop_dead_neurons(dropped)
    assert [layer.shape for layer in again.linear_layers] == [layer.shape for layer in dropped.linear_layers]


def test_a_model_of_dead_neurons_alone_keeps_one_a_layer():
    model = snn.Model([snn.Linear(np.zeros((4, 3)), np.ones(4)), snn.ReLU(), snn.Linear(np.ones((2, 4)))])
    dropped = snn.drop_dead_neurons(model)
    assert [layer.shape for layer in dropped.linear_layers] == [(1, 3), (2, 1)]
    np.testing.assert_array_equal(dropped.predict(np.ones((1, 3))), [[4, 4]])


def test_softmax_inside_is_left_alone():
    model = snn.Model([snn.Linear(np.eye(4)), snn.Softmax(), snn.Linear(np.ones((2, 4)))])
    with pytest.raises(ValueError, match="before a Softmax"):
        snn.prune(model, structure="neuron")
    model.linear_layers[0].weight = np.zeros((4, 4))
    assert snn.drop_dead_neurons(model).linear_layers[0].shape == (4, 4)


@pytest.mark.parametrize("sparse", [False, True])
def test_threshold_removes_what_is_less_important(sparse):
    model = snn.mlp([12, 9, 4], seed=3)
    model = sparse_version(model) if sparse else model
    for before, after in zip(weights_of(model), weights_of(snn.prune(model, threshold=0.4)), strict=True):
        np.testing.assert_array_equal(after, np.where(np.abs(before) >= 0.4, before, 0))


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("percentile", [0, 30, 99.5])
def test_percentile_is_a_threshold_from_the_importances(scope, percentile):
    model = snn.mlp([12, 9, 4], seed=3)
    pruned = snn.prune(model, percentile=percentile, scope=scope)
    weights = weights_of(model)
    whole = np.percentile(np.concatenate([np.abs(weight).ravel() for weight in weights]), percentile)
    for before, after in zip(weights, weights_of(pruned), strict=True):
        cut = whole if scope == "global" else np.percentile(np.abs(before), percentile)
        np.testing.assert_array_equal(after, np.where(np.abs(before) >= cut, before, 0))


def test_sparsity_by_layer_keeps_what_it_does_not_name():
    model = snn.mlp([12, 10, 10, 4], seed=3)
    pruned = snn.prune(model, sparsity={0: 0.5, -2: 0.9})
    assert [layer.nnz for layer in pruned.linear_layers] == [60, 10, 40]
    assert [layer.sparse for layer in pruned.linear_layers] == [True, True, False]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sparsity": 0.5, "threshold": 1.0}, ValueError, "exclude each other, got sparsity and threshold"),
        ({"sparsity": 0.5, "percentile": 9}, ValueError, "exclude each other, got sparsity and percentile"),
        ({"threshold": 0.5, "percentile": 9}, ValueError, "exclude each other, got threshold and percentile"),
        ({"threshold": float("nan")}, ValueError, "threshold must be in"),
        ({"threshold": "1"}, TypeError, "threshold must be a number, got str"),
        ({"percentile": 101}, ValueError, r"percentile must be in \[0, 100\], got 101"),
        ({"percentile": -1}, ValueError, "percentile must be in"),
        (
            {"structure": "row"},
            ValueError,
            "structure must be one of block, channel, n:m, neuron, weight, got 'row'",
        ),
        ({"structure": None}, TypeError, "structure must be a name, got NoneType"),
        (
            {"structure": "n:m", "sparsity": 0.5},
            ValueError,
            "sparsity must not be given with structure 'n:m'",
        ),
        ({"structure": "n:m", "nm": (2, 5)}, ValueError, "nm must have an m that divides .* got 2:5"),
        ({"structure": "n:m", "nm": (5, 4)}, ValueError, r"nm must have n <= m, got \(5, 4\)"),
        ({"structure": "n:m", "nm": 2}, ValueError, "nm must be two integers, got 2"),
        ({"structure": "block"}, ValueError, r"block must divide .* got \(16, 1\) for Linear layer 0"),
        ({"structure": "block", "block": (0, 1)}, ValueError, r"block\[0\] must be at least 1, got 0"),
        ({"structure": "block", "block": (2.0, 1)}, TypeError, r"block\[0\] must be an integer, got float"),
        ({"structure": "neuron", "keep": 0}, ValueError, "must have a hidden layer that keep does not name"),
        ({"normalize": "l2"}, ValueError, "normalize must be 'lamp' or None, got 'l2'"),
        ({"normalize": "lamp", "scope": "layer"}, ValueError, "'lamp' needs criterion 'magnitude' and scope"),
        ({"normalize": "lamp", "criterion": "random"}, ValueError, "'lamp' needs criterion 'magnitude'"),
        ({"sparsity": {}}, ValueError, "sparsity must name at least one layer"),
        ({"sparsity": {0: 1.0}}, ValueError, r"sparsity\[0\] must be in \[0, 1\), got 1"),
        (
            {"sparsity": {5: 0.5}},
            ValueError,
            "sparsity must hold indices of the model's 2 Linear layers, got 5",
        ),
        ({"sparsity": {0: 0.5, -2: 0.5}}, ValueError, "sparsity must name a layer once, got 0 twice"),
        ({"sparsity": {0: 0.5}, "keep": 0}, ValueError, "sparsity must not name a layer that keep protects"),
        ({"drop_dead": 1}, TypeError, "drop_dead must be True or False, got int"),
    ],
)
def test_wrong_combinations_leave_the_model_as_it_was(options, error, message):
    model = snn.mlp([8, 6, 3], seed=1)
    before = [weight.copy() for weight in weights_of(model)]
    with pytest.raises(error, match=message):
        snn.prune(model, **options)
    for one, other in zip(weights_of(model), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_names():
    assert snn.structures() == ["block", "channel", "n:m", "neuron", "weight"]
    with pytest.raises(TypeError, match="model must be a Model, got int"):
        snn.drop_dead_neurons(3)
