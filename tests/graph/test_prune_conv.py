"""Pruning of models with convolutions: the layers keep their kind and their windows."""

import warnings

import numpy as np
import pytest
from conv_networks import MODELS, conv, model_of
from test_prune_graph import weight_slopes

import sparsenn as snn
from sparsenn.prune import forward
from sparsenn.prune.criteria import find_criterion
from sparsenn.prune.csr import stored_positions
from sparsenn.prune.evaluation import evaluate
from sparsenn.prune.reach import reached_outputs

NETWORKS = [MODELS["classifier"], MODELS["residual"], MODELS["groups"]]


def dense(layer) -> np.ndarray:
    return layer.weight.toarray() if layer.sparse else layer.weight


def assert_same_kinds(pruned: snn.Model, model: snn.Model) -> None:
    for ours, theirs in zip(pruned.layers, model.layers, strict=True):
        assert type(ours) is type(theirs) and ours.integer_values == theirs.integer_values
    for ours, theirs in zip(pruned.linear_layers, model.linear_layers, strict=True):
        assert ours.sparse and ours.shape == theirs.shape and not np.shares_memory(ours.bias, theirs.bias)
        kept = dense(ours) != 0
        np.testing.assert_array_equal(dense(ours)[kept], dense(theirs)[kept])


@pytest.fixture(autouse=True)
def no_word_of_cuts():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "pruned too far")
        yield


@pytest.mark.parametrize("criterion", ["magnitude", "random", "change"])
@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("model", NETWORKS, ids=repr)
def test_weights_go_from_every_layer(model, scope, criterion):
    if criterion == "change":
        model = model.copy()
        record = snn.RecordRange(model)
        for layer in model.linear_layers:
            values = layer.weight.data if layer.sparse else layer.weight
            values *= np.float32(1.5)
        record(None, {})
    before = [dense(layer).copy() for layer in model.linear_layers]
    pruned = snn.prune(model, sparsity=0.9, criterion=criterion, scope=scope)
    assert_same_kinds(pruned, model)
    whole = sum(values.size for values in before)
    assert abs(pruned.nnz - 0.1 * whole) <= len(before)
    assert all(np.array_equal(dense(a), b) for a, b in zip(model.linear_layers, before, strict=True))
    if criterion == "magnitude" and scope == "global":
        kept = np.concatenate([abs(layer.weight.data) for layer in pruned.linear_layers])
        assert kept.min() >= np.sort(np.concatenate([abs(values).ravel() for values in before]))[-pruned.nnz]


@pytest.mark.parametrize("block", [(2, 1), (1, 3), (3, 3), (1, 1, 3, 3), (2, 3, 1, 3), (6, 1, 3, 1)])
@pytest.mark.parametrize("sparse", [False, True])
def test_blocks_go_whole(block, sparse):
    """Rows x channels at one place of the window, or at a part of it."""
    model = MODELS["classifier"]
    if sparse:
        model = snn.prune(model, sparsity=0)
    pruned = snn.prune(model, sparsity=0.5, structure="block", block=block, keep=(1, 2))
    layer, size = pruned.linear_layers[0], (*block, 1, 1)[:4]
    assert isinstance(layer, snn.Conv2d) and abs(layer.sparsity - 0.5) <= np.prod(block) / 162
    kernel, whole = layer.dense_kernel, model.linear_layers[0].dense_kernel.astype(np.float64)
    split = [part for n, own in zip(kernel.shape, size, strict=True) for part in (n // own, own)]
    counts = (kernel != 0).reshape(split).sum((1, 3, 5, 7))
    assert set(np.unique(counts)) == {0, np.prod(block)}
    means = abs(whole).reshape(split).mean((1, 3, 5, 7))
    assert means[counts == 0].max() < means[counts > 0].min()
    np.testing.assert_array_equal(kernel[kernel != 0], whole[kernel != 0])


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ((4, 1), r"got \(4, 1\) for Linear layer 0 of shape \(6, 3, 3, 3\); keep=0"),
        ((1, 9), r"got \(1, 9\) for Linear layer 0 of shape \(6, 3, 3, 3\)"),
        ((1, 1, 2, 3), r"got \(1, 1, 2, 3\) for Linear layer 0"),
        ((1, 1, 3, 3), r"for Linear layer 2 of shape \(4, 8, 1, 1\); keep=2"),
        ((1, 1, 3), "block must be two or four integers"),
        ((1, 1, 3, 0), r"block\[3\] must be at least 1, got 0"),
    ],
)
def test_blocks_that_do_not_fit(block, message):
    with pytest.raises(ValueError, match=message):
        snn.prune(MODELS["classifier"], sparsity=0.5, structure="block", block=block)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("nm", [(1, 2), (2, 4), (1, 8), (4, 4)])
def test_n_of_m_channels_stay_at_each_place_of_the_window(nm, sparse):
    (n, m), layer = nm, conv(5, 8, 3, 2, seed=4)
    model = model_of((8, 6, 5), layer)
    pruned = snn.prune(snn.prune(model, sparsity=0.3) if sparse else model, structure="n:m", nm=nm)
    before = layer.dense_kernel if not sparse else snn.prune(model, sparsity=0.3).layers[0].dense_kernel
    groups = abs(before).reshape(5, 8 // m, m, 3, 2)
    stays = np.argsort(np.argsort(-groups, axis=2, kind="stable"), axis=2) < n
    wanted = np.where(stays.reshape(before.shape), before, 0)
    np.testing.assert_array_equal(pruned.layers[0].dense_kernel, wanted)
    with pytest.raises(ValueError, match="got 1:3 for Linear layer 0 with 8 inputs; keep=0"):
        snn.prune(model, structure="n:m", nm=(1, 3))


def small_network() -> snn.Model:
    """A convolution, a depthwise one after it, at several positions, and one layer at two nodes."""
    first, again = conv(4, 2, 2, 2, seed=0), conv(4, 4, 1, 1, seed=1)
    deep = conv(4, 1, 2, 1, seed=2, groups=4, padding=1)
    x = snn.Input((2, 4, 5), name="x")
    h = snn.Tanh()(first(x))
    h = snn.Add()(snn.Tanh()(again(h)), h)
    h = snn.Sigmoid()(deep(again(h)))
    last = snn.Linear(np.random.default_rng(3).standard_normal((3, 4)) / 3, np.ones(3))
    return snn.Model(inputs=x, outputs=last(snn.Flatten()(snn.AvgPool2d(h.dims[2:])(h))))


def test_criteria_that_look_at_data_see_each_samples_gradient():
    """By differences of the reference, weight by weight; at the pattern of the depthwise one."""
    model = small_network()
    rng = np.random.default_rng(3)
    x, t = rng.standard_normal((5, 2, 4, 5)).astype(np.float32), rng.standard_normal((5, 3))
    for sparse in (False, True):
        given = snn.prune(model, sparsity=0) if sparse else model
        whole = model.copy()
        for layer in whole.linear_layers:
            layer.weight = dense(layer)
        slopes = weight_slopes(whole, x, t)
        weights = [dense(layer).astype(np.float64) for layer in model.linear_layers]
        wanted = {
            "gradient": [abs(s).mean(axis=0) for s in slopes],
            "taylor": [abs(w * s.mean(axis=0)) for w, s in zip(weights, slopes, strict=True)],
            "hessian": [w * w * np.square(s).mean(axis=0) / 2 for w, s in zip(weights, slopes, strict=True)],
        }
        for name, importances in wanted.items():
            got = find_criterion(name)(given, (x, t, "mse"))
            scale = max(array.max() for array in importances)
            for layer, one, other in zip(given.linear_layers, got, importances, strict=True):
                if layer.sparse:
                    other = other[stored_positions(layer.weight)]
                np.testing.assert_allclose(one.reshape(other.shape), other, rtol=5e-3, atol=5e-3 * scale)


def test_contribution_is_a_mean_over_positions():
    layer = conv(3, 2, 3, 2, seed=5, stride=(1, 2), padding=(1, 0, 0, 1))
    x = np.random.default_rng(0).standard_normal((7, 2, 5, 6)).astype(np.float32)
    moved = np.pad(abs(x), ((0, 0), (0, 0), (1, 0), (0, 1)))
    rows, columns = range(4), range(0, 6, 2)
    held = [[moved[:, :, r : r + 3, c : c + 2] for c in columns] for r in rows]
    mean = np.mean([part for line in held for part in line], axis=(0, 1), dtype=np.float64).reshape(-1)
    model = snn.Model(inputs=(h := snn.Input((2, 5, 6))), outputs=layer(h))
    for given in (model, snn.prune(model, sparsity=0.4)):
        (got,) = find_criterion("contribution")(given, x)
        own = given.layers[0].weight
        wanted = abs(own) * mean if not given.layers[0].sparse else abs(own.data) * mean[own.indices]
        np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_many_images_go_in_parts(monkeypatch, rng):
    model, x, y = small_network(), rng.standard_normal((9, 2, 4, 5)), rng.integers(0, 3, 9)
    whole = {name: find_criterion(name)(model, (x, y)) for name in ("contribution", "taylor", "hessian")}
    monkeypatch.setattr(forward, "_NUMBERS", 2000)
    assert len(list(forward.batches(model, forward.as_model_features(model, x)))) > 2
    for name, wanted in whole.items():
        for one, other in zip(find_criterion(name)(model, (x, y)), wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * other.max())


@pytest.mark.parametrize("structure", ["weight", "channel", "n:m", "block"])
@pytest.mark.parametrize("schedule", ["cubic", "one-shot"])
def test_step_by_step(structure, schedule, rng):
    model, x, y = MODELS["classifier"], rng.standard_normal((20, 3, 16, 14)), rng.integers(0, 4, 20)
    whole = structure in ("weight", "channel")
    options = {"keep": (0, -1), "nm": (1, 2)} if structure == "n:m" else {"keep": -1, "block": (2, 1)}
    pruned, trace = snn.prune_iteratively(
        model, x, y, structure=structure, steps=3, epochs_per_step=0, drop_dead=False,
        schedule=schedule, criterion="taylor", **({} if structure == "n:m" else {"sparsity": 0.5}), **options,
    )  # fmt: skip
    assert len(trace) == 3 and trace[-1]["sparsity"] == pytest.approx(0.5, abs=0.01 if whole else 0.3)
    if structure == "channel":
        assert sum(layer.shape[0] for layer in pruned.linear_layers[:-1]) == 7  # of 14
    value, accuracy = evaluate(pruned, x, y)
    assert accuracy == trace[-1]["accuracy"] and value == pytest.approx(trace[-1]["loss"])
    probabilities = snn.reference(pruned, x)
    assert accuracy == (probabilities.argmax(axis=1) == y).mean()
    assert value == pytest.approx(-np.log(probabilities[np.arange(20), y]).mean(), rel=1e-4)


def test_sensitivity_and_allocation(rng):
    model = MODELS["classifier"]
    x, y = rng.standard_normal((10, 3, 16, 14)), rng.integers(0, 4, 10)
    found = snn.sensitivity(model, x, y, sparsities=(0.5, 0.9), keep=-1)
    assert [row["layer"] for row in found.rows] == [0, 0, 1, 1]
    for row in found.rows:
        pruned = snn.prune(model, sparsity={row["layer"]: row["sparsity"]})
        probabilities = snn.reference(pruned, x)[np.arange(10), y]
        assert row["loss"] == pytest.approx(-np.log(probabilities).mean(), rel=1e-4)
    choice = snn.allocate(model, x, y, max_latency_us=1e6, keep=-1, measured=found)
    assert choice.latency_us < 1e6 and {row["layer"] for row in choice.options} == {0, 1, 2}


def test_features_of_another_shape_are_refused(rng):
    model, y = MODELS["classifier"], rng.integers(0, 4, 5)
    with pytest.raises(ValueError, match=r"X must have shape \(n, 3, 16, 14\), got \(5, 672\)"):
        snn.prune(model, criterion="taylor", data=(rng.standard_normal((5, 672)), y))
    free = model_of((1, None, None), conv(2, 1, 3, 3))
    with pytest.raises(ValueError, match=r"X must have shape \(n, 1, any, any\), got \(5, 8, 8\)"):
        snn.prune(free, criterion="contribution", data=rng.standard_normal((5, 8, 8)))
    x = rng.standard_normal((5, 1, 8, 9))
    assert snn.prune(free, criterion="contribution", data=x, sparsity=0.5).nnz == 9
    with pytest.raises(ValueError, match="model must have one output of"):
        snn.prune(free, criterion="taylor", data=(x, y))


def test_what_is_left_computes_the_same_without_the_others():
    model = model_of((3, 8, 7), conv(4, 3, 3, 3, padding=1, stride=2))
    pruned = snn.prune(model, sparsity=0.6)
    full = model.linear_layers[0].with_weight(dense(pruned.linear_layers[0]), pruned.linear_layers[0].bias)
    x = np.random.default_rng(0).standard_normal((5, 3, 8, 7)).astype(np.float32)
    again = model_of((3, 8, 7), full)
    np.testing.assert_allclose(pruned.predict(x), again.predict(x), rtol=1e-5, atol=1e-6)


def test_other_ways_to_say_how_much():
    model = MODELS["classifier"]
    kept = snn.prune(model, sparsity={0: 0.8}, normalize=None)
    assert abs(kept.linear_layers[0].sparsity - 0.8) < 0.01
    assert kept.linear_layers[1].nnz == model.linear_layers[1].nnz and not kept.linear_layers[2].sparse
    assert abs(snn.prune(model, sparsity=0.8, normalize="lamp").sparsity - 0.8) < 0.01
    assert snn.prune(model, threshold=0.5).nnz < model.nnz
    two = snn.prune(model_of((4, 5, 5), conv(2, 4, 2, 2)), structure="n:m", nm=(2, 4)).linear_layers[0]
    assert two.sparsity == 0.5 and isinstance(two, snn.Conv2d)


def test_sizes_that_are_not_known():
    layer = conv(2, 1, 5, 5)
    model = model_of((1, None, None), layer)
    assert reached_outputs(model)["y"].all()
    with pytest.warns(UserWarning, match="pruned too far"):
        snn.prune(model, threshold=1e9)


def test_neurons_behind_a_convolution_are_removed_where_nothing_reads_them():
    x = snn.Input((1, 4, 4), name="x")
    h = snn.Flatten()(conv(2, 1, 3, 3)(x))
    first, last = np.ones((3, 8), np.float32), np.array([[1, 0, 2]], np.float32)
    model = snn.Model(inputs=x, outputs=snn.Linear(last)(snn.ReLU()(snn.Linear(first)(h))))
    small = snn.drop_dead_neurons(model)
    assert [layer.shape for layer in small.linear_layers] == [(2, 9), (2, 8), (1, 2)]
    assert small.linear_layers[0] is not model.linear_layers[0]
    given = np.random.default_rng(0).standard_normal((3, 1, 4, 4))
    np.testing.assert_allclose(small.predict(given), model.predict(given), rtol=1e-5)
    shrunk = snn.prune(model, sparsity=0.4, structure="neuron", keep=0)
    assert isinstance(shrunk.linear_layers[0], snn.Conv2d) and shrunk.linear_layers[1].shape[0] == 2
