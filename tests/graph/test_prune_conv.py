"""Pruning of models with convolutions: the layers keep their kind and their windows."""

import warnings

import numpy as np
import pytest
from conv_networks import MODELS, conv, model_of

import sparsenn as snn
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


@pytest.mark.parametrize("block", [(2, 1), (1, 9), (2, 3)])
def test_blocks_go_whole(block):
    model = MODELS["classifier"]
    pruned = snn.prune(model, sparsity=0.5, structure="block", block=block, keep=(1, 2))
    layer = pruned.linear_layers[0]
    assert isinstance(layer, snn.Conv2d) and abs(layer.sparsity - 0.5) <= np.prod(block) / 162
    rows, columns = layer.shape
    blocks = dense(layer).reshape(rows // block[0], block[0], columns // block[1], block[1]) != 0
    counts = blocks.sum(axis=(1, 3))
    assert set(np.unique(counts)) == {0, np.prod(block)}
    with pytest.raises(ValueError, match=r"block must divide the weights .* layer 0 of shape \(6, 27\)"):
        snn.prune(model, sparsity=0.5, structure="block", block=(4, 1))


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
