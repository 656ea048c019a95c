"""prune: exact sparsity, ties, scope, kept layers, CSR input, criteria and what is refused."""

import functools
import importlib

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn
from sparsenn.prune.criteria import random as random_criterion
from sparsenn.prune.selection import smallest

SIZES = (7, 13, 11, 3)


def count_of(model):
    return sum(layer.weight.shape[0] * layer.weight.shape[1] for layer in model.linear_layers)


def dense_of(layer):
    return layer.weight.toarray() if layer.sparse else layer.weight


def assert_good_csr(layer):
    weight = layer.weight
    assert isinstance(weight, scipy.sparse.csr_array)
    assert weight.dtype == np.float32 and weight.indices.dtype == np.int32
    assert weight.has_sorted_indices
    for row in range(weight.shape[0]):
        assert np.all(np.diff(weight.indices[weight.indptr[row] : weight.indptr[row + 1]]) > 0)


@pytest.mark.parametrize("criterion", ["magnitude", "random"])
@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 1 / 3, 0.5, 0.77, 0.9, 0.98, 0.9999])
def test_sparsity_is_met_to_within_one_weight(criterion, scope, sparsity):
    model = snn.mlp(SIZES, seed=3)
    sparse = snn.prune(model, sparsity=sparsity, criterion=criterion, scope=scope)
    groups = [sparse.linear_layers] if scope == "global" else [[layer] for layer in sparse.linear_layers]
    for group in groups:
        total = sum(layer.weight.shape[0] * layer.weight.shape[1] for layer in group)
        assert abs(total - sum(layer.nnz for layer in group) - sparsity * total) <= 1
    for layer, before in zip(sparse.linear_layers, model.linear_layers, strict=True):
        assert_good_csr(layer)
        kept = dense_of(layer) != 0
        np.testing.assert_array_equal(dense_of(layer)[kept], before.weight[kept])
        np.testing.assert_array_equal(layer.bias, before.bias)


def test_global_magnitude_keeps_the_largest_of_all_layers():
    model = snn.mlp(SIZES, seed=3)
    sparse = snn.prune(model, sparsity=0.7)
    magnitudes = np.sort(np.abs(np.concatenate([layer.weight.ravel() for layer in model.linear_layers])))
    threshold = magnitudes[round(0.7 * magnitudes.size)]
    for layer, before in zip(sparse.linear_layers, model.linear_layers, strict=True):
        np.testing.assert_array_equal(
            dense_of(layer), np.where(np.abs(before.weight) >= threshold, before.weight, 0)
        )


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.9])
def test_ties_are_cut_exactly_and_by_position(scope, sparsity):
    layers = [
        snn.Linear(np.full((6, 5), -0.5, np.float32)),
        snn.ReLU(),
        snn.Linear(np.full((4, 6), 0.5, np.float32)),
    ]
    sparse = snn.prune(snn.Model(layers), sparsity=sparsity, scope=scope)
    kept = [(dense_of(layer) != 0).ravel() for layer in sparse.linear_layers]
    for group in [np.concatenate(kept)] if scope == "global" else kept:
        removed = round(sparsity * group.size)
        np.testing.assert_array_equal(group, np.arange(group.size) >= removed)


def test_the_input_is_left_alone_and_shares_nothing():
    model = snn.mlp(SIZES, seed=3)
    before = [layer.weight.copy() for layer in model.linear_layers]
    for sparsity in (0.0, 0.5):
        sparse = snn.prune(model, sparsity=sparsity, keep=-1)
        for layer in sparse.linear_layers:
            (layer.weight.data if layer.sparse else layer.weight)[...] = 9
            layer.bias[...] = 9
    for layer, weight in zip(model.linear_layers, before, strict=True):
        np.testing.assert_array_equal(layer.weight, weight)
        assert not (layer.bias == 9).any()


@pytest.mark.parametrize("keep", [(-1,), -1, 2, [2], np.array([2]), (2, -1), range(2, 3)])
def test_kept_layers_stay_dense_and_do_not_count(keep):
    model = snn.mlp(SIZES, seed=3)
    sparse = snn.prune(model, sparsity=0.8, keep=keep)
    first, second, last = sparse.linear_layers
    np.testing.assert_array_equal(last.weight, model.linear_layers[-1].weight)
    assert abs(first.nnz + second.nnz - 0.2 * (7 * 13 + 13 * 11)) <= 1
    assert [type(layer) for layer in sparse.layers] == [type(layer) for layer in model.layers]


def test_a_kept_csr_layer_stays_as_it_is():
    once = snn.prune(snn.mlp(SIZES, seed=3), sparsity=0.5)
    twice = snn.prune(once, sparsity=0.9, keep=0)
    np.testing.assert_array_equal(dense_of(twice.linear_layers[0]), dense_of(once.linear_layers[0]))
    assert twice.linear_layers[0].nnz == once.linear_layers[0].nnz


def test_sparsity_zero_stores_every_weight_zeros_included():
    weight = np.array([[0.0, 1.0], [-0.0, 2.0]], np.float32)
    (layer,) = snn.prune(snn.Model([snn.Linear(weight)]), sparsity=0).linear_layers
    assert layer.nnz == 4
    np.testing.assert_array_equal(dense_of(layer), weight)


@pytest.mark.parametrize("criterion", ["magnitude", "random"])
def test_pruning_step_by_step_goes_on_from_what_is_stored(criterion):
    model = snn.mlp(SIZES, seed=3)
    for sparsity in (0.3, 0.55, 0.8, 0.95):
        before, model = model, snn.prune(model, sparsity=sparsity, criterion=criterion)
        assert abs(count_of(model) - model.nnz - sparsity * count_of(model)) <= 1
        for old, new in zip(before.linear_layers, model.linear_layers, strict=True):
            assert_good_csr(new)
            kept = dense_of(new) != 0
            np.testing.assert_array_equal(dense_of(new)[kept], dense_of(old)[kept])
    at_once = snn.prune(snn.mlp(SIZES, seed=3), sparsity=0.95)
    if criterion == "magnitude":
        for one, other in zip(model.linear_layers, at_once.linear_layers, strict=True):
            np.testing.assert_array_equal(dense_of(one), dense_of(other))


def test_nothing_grows_back():
    sparse = snn.prune(snn.mlp(SIZES, seed=3), sparsity=0.9)
    again = snn.prune(sparse, sparsity=0.2)
    assert again.nnz == sparse.nnz


@pytest.mark.parametrize("stored", [False, True])
def test_zeros_count_and_go_first_whatever_the_criterion(stored):
    weight = np.array([[0, 5, 0, 1], [2, 0, 0, 3]], np.float32)
    given = weight
    if stored:  # the same as CSR, with two of the zeros stored
        given = scipy.sparse.csr_array(
            (np.array([0, 5, 1, 2, 0, 3], np.float32), [0, 1, 3, 0, 1, 3], [0, 3, 6]), shape=(2, 4)
        )
    model = snn.Model([snn.Linear(given)])
    for criterion in ("magnitude", "random", functools.partial(random_criterion.importance, seed=5)):
        (layer,) = snn.prune(model, sparsity=0.5, criterion=criterion).linear_layers
        assert layer.nnz == 4
        np.testing.assert_array_equal(dense_of(layer), weight)


@pytest.mark.filterwarnings("ignore:pruned too far")
def test_everything_may_go_by_a_threshold_but_not_by_rounding():
    sparse = snn.prune(snn.mlp([2, 2, 2], seed=0), threshold=99)
    assert sparse.nnz == 0
    np.testing.assert_array_equal(sparse.predict(np.ones((3, 2), np.float32)), np.zeros((3, 2)))
    assert snn.prune(snn.mlp([2, 2, 2], seed=0), sparsity=0.99).nnz == 1
    (layer,) = snn.prune(snn.Model([snn.Linear([[2.0]])]), sparsity=0.6).linear_layers
    assert layer.nnz == 1


def test_the_same_call_gives_the_same_model():
    for criterion in ("magnitude", "random"):
        one, other = (snn.prune(snn.mlp(SIZES, seed=3), sparsity=0.6, criterion=criterion) for _ in range(2))
        for a, b in zip(one.linear_layers, other.linear_layers, strict=True):
            np.testing.assert_array_equal(dense_of(a), dense_of(b))


def test_a_function_may_be_the_criterion():
    model, calls = snn.mlp(SIZES, seed=3), []

    def columns_first(given, data):
        calls.append((given, data))
        return [
            np.broadcast_to(np.arange(layer.weight.shape[1]), layer.weight.shape)
            for layer in given.linear_layers
        ]

    sparse = snn.prune(
        model, sparsity=6 / 7, criterion=columns_first, scope="layer", keep=(1, 2), data="anything"
    )
    assert calls == [(model, "anything")]
    kept = dense_of(sparse.linear_layers[0]) != 0
    assert kept[:, -1].all() and not kept[:, :-1].any()


def test_a_function_may_leave_out_kept_layers():
    model = snn.mlp(SIZES, seed=3)
    sparse = snn.prune(
        model, criterion=lambda given, data: [None, np.abs(given.linear_layers[1].weight), None], keep=(0, 2)
    )
    assert [layer.sparse for layer in sparse.linear_layers] == [False, True, False]


def test_criteria_are_the_files_of_the_folder(tmp_path, monkeypatch):
    assert {"magnitude", "random"} <= set(snn.criteria())
    assert snn.criteria() == sorted(snn.criteria())
    package = importlib.import_module("sparsenn.prune.criteria")
    (tmp_path / "largest.py").write_text(
        "def importance(model, data):\n    return [-abs(layer.weight) for layer in model.linear_layers]\n"
    )
    (tmp_path / "_helper.py").write_text("")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    assert "largest" in snn.criteria() and "_helper" not in snn.criteria()
    (layer,) = snn.prune(
        snn.Model([snn.Linear([[1.0, 3.0, 2.0]])]), sparsity=2 / 3, criterion="largest"
    ).linear_layers
    np.testing.assert_array_equal(dense_of(layer), [[1, 0, 0]])


def test_random_importance_has_a_seed():
    model = snn.mlp(SIZES, seed=3)
    first, again, other = (random_criterion.importance(model, None, seed=seed) for seed in (0, 0, 1))
    for a, b, c, layer in zip(first, again, other, model.linear_layers, strict=True):
        assert a.shape == layer.weight.shape
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


@pytest.mark.parametrize("size", [1, 2, 31, 1000])
def test_smallest_is_a_stable_sort_cut_off(rng, size):
    values = rng.integers(0, 5, size).astype(np.float32)
    values[rng.random(size) < 0.2] = -np.inf
    order = np.argsort(values, kind="stable")
    for count in {0, 1, size // 3, size - 1, size}:
        mask = smallest(values, count)
        np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(order[:count]))


def no_arrays(model, data):
    return None


def too_few(model, data):
    return [np.ones(model.linear_layers[0].weight.shape)]


def wrong_shape(model, data):
    return [np.ones(3) for _ in model.linear_layers]


def not_numbers(model, data):
    return [np.full(layer.weight.shape, "a") for layer in model.linear_layers]


def with_nan(model, data):
    return [np.full(layer.weight.shape, np.nan) for layer in model.linear_layers]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sparsity": 1.2}, ValueError, r"sparsity must be in \[0, 1\), got 1.2"),
        ({"sparsity": 1}, ValueError, r"sparsity must be in \[0, 1\), got 1"),
        ({"sparsity": -0.1}, ValueError, r"sparsity must be in \[0, 1\), got -0.1"),
        ({"sparsity": float("nan")}, ValueError, r"sparsity must be in \[0, 1\), got nan"),
        ({"sparsity": "90%"}, TypeError, "sparsity must be a number, got str"),
        ({"sparsity": True}, TypeError, "sparsity must be a number, got bool"),
        (
            {"criterion": "size"},
            ValueError,
            "criterion must be one of .*magnitude, movement, .*, got 'size'",
        ),
        ({"criterion": "_hidden"}, ValueError, "criterion must be one of .*, got '_hidden'"),
        ({"criterion": None}, TypeError, "criterion must be a name or a function, got NoneType"),
        ({"scope": "row"}, ValueError, "scope must be 'global' or 'layer', got 'row'"),
        ({"keep": 3}, ValueError, "keep must hold indices of the model's 3 Linear layers, got 3"),
        ({"keep": (-4,)}, ValueError, "keep must hold indices of the model's 3 Linear layers, got -4"),
        ({"keep": (0, 1, 2)}, ValueError, "keep must leave a Linear layer to prune, got all 3"),
        ({"keep": "last"}, TypeError, "keep must be a sequence of integers, got str"),
        ({"keep": None}, TypeError, "keep must be a sequence of integers, got NoneType"),
        ({"keep": (True,)}, TypeError, "keep must hold integers, got bool"),
        ({"keep": (1.0,)}, TypeError, "keep must hold integers, got float"),
        ({"criterion": no_arrays}, ValueError, "criterion must return a list of 3 arrays, got NoneType"),
        ({"criterion": too_few}, ValueError, "criterion must return a list of 3 arrays, got 1"),
        (
            {"criterion": wrong_shape},
            ValueError,
            r"must return shape \(13, 7\) for Linear layer 0, got \(3,\)",
        ),
        ({"criterion": not_numbers}, TypeError, "criterion must return numbers, got <U1 for Linear layer 0"),
        ({"criterion": with_nan}, ValueError, "criterion must return no NaN, got some for Linear layer 0"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        snn.prune(snn.mlp(SIZES), **options)


def test_a_model_is_wanted():
    with pytest.raises(TypeError, match="model must be a Model, got ndarray"):
        snn.prune(np.ones((3, 3)))
