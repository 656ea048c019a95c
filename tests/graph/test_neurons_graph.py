"""Neurons of graphs: they go only where nothing needs them."""

import numpy as np
import pytest
from graphs import joined, linear, only_values

import sparsenn as snn
from sparsenn.prune.units import units_of


def same_outputs(before, after, inputs):
    for one, other in zip(*(only_values(model, inputs) for model in (before, after)), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * (1 + np.abs(one).max()))


def test_a_neuron_is_dead_only_where_no_reader_uses_it():
    """h is read by two layers, after other activations, by one of them behind another value."""
    hidden, one, two, other = linear(6, 5, 0), linear(3, 6, 1), linear(4, 10, 2), linear(4, 5, 3)
    hidden.weight[1] = 0  # constant
    one.weight[:, [2, 4]] = 0
    two.weight[:, 4 + np.array([2, 5])] = 0  # 4 and 5 still have one reader; 2 has none
    two.weight[:, 0] = 0  # a neuron of other
    x = snn.Input((5,), name="x")
    h = hidden(x)
    first = one(snn.ReLU()(h))
    second = two(snn.Concat()(snn.Tanh()(other(x)), snn.Sigmoid()(h)))
    model = snn.Model(inputs=x, outputs={"first": first, "second": second})
    dropped = snn.drop_dead_neurons(model)
    assert [layer.shape for layer in dropped.linear_layers] == [(4, 5), (3, 4), (3, 5), (4, 7)]
    np.testing.assert_array_equal(dropped.linear_layers[0].weight, hidden.weight[[0, 3, 4, 5]])
    np.testing.assert_array_equal(dropped.linear_layers[2].weight, other.weight[1:])
    same_outputs(model, dropped, {"x": np.random.default_rng(0).standard_normal((20, 5))})
    assert model.linear_layers[0].shape == (6, 5)


def reading(read, columns=4):
    """A hidden layer of 4 whose neuron 2 is dead, as read by what is behind it."""
    hidden, last = linear(4, 3, 0), snn.Linear(np.eye(4, columns)[:, ::-1], np.ones(4))
    last.weight[:, 1] = 0
    hidden.weight[2] = 0
    x = snn.Input((3,), name="x")
    return snn.Model(inputs=x, outputs=read(hidden(x), last))


SCALES = np.array([0.5, 2, -1, 3], np.float32)


@pytest.mark.parametrize(
    "read, left",
    [
        (lambda h, last: last(snn.Add()(h, h)), 2),
        (lambda h, last: last(snn.Mul()(h, SCALES)), 2),
        (lambda h, last: last(snn.Add()(SCALES[None], snn.Mul()(h, 3.0))), 2),
        (lambda h, last: last(snn.Transpose((1,))(h)), 2),
        (lambda h, last: last(snn.Concat()(snn.Slice(end=2)(h), snn.Slice(start=2)(h))), 2),
        (lambda h, last: last(snn.Flatten()(snn.Reshape((2, 2))(h))), 4),  # 0 and 3 are needed
        (lambda h, last: last(snn.Flatten()(snn.Reshape((4, 1))(h))), 2),
        (lambda h, last: last(snn.Flatten()(snn.Transpose((2, 1))(snn.Reshape((1, 4))(h)))), 2),
    ],
)  # fmt: skip
def test_neurons_are_followed_to_whoever_reads_them(read, left):
    """Neuron 2 is constant, and nothing reads neuron 1."""
    model = reading(read)
    dropped = snn.drop_dead_neurons(model)
    assert [layer.shape for layer in dropped.linear_layers] == [(left, 3), (4, left)]
    same_outputs(model, dropped, {"x": np.random.default_rng(0).standard_normal((20, 3))})


@pytest.mark.parametrize(
    "read, obstacle",
    [
        (lambda h, last: last(snn.Softmax()(h)), "before a Softmax"),
        (lambda h, last: snn.ReLU()(last(last(h))), "of an output"),  # they are in the place of its rows
        (
            lambda h, last: last(snn.Concat()(snn.Slice(step=2)(h), snn.Slice(start=1, step=2)(h))),
            "before a Slice with step 2",
        ),
        (lambda h, last: last(snn.Add()(h, snn.Concat()(h.producer.inputs[0], snn.Slice(end=1)(h)))),
         "that come in with an input"),
        (
            lambda h, last: last(
                snn.Flatten()(snn.Mul()(snn.Reshape((4, 1))(h), snn.Reshape((1, 4))(h)))
            ),
            "that Mul repeats over several others",
        ),
    ],
)  # fmt: skip
def test_where_it_cannot_be_told_neurons_stay(read, obstacle):
    model = reading(read, columns=16 if "repeats" in obstacle else 4)
    dropped = snn.drop_dead_neurons(model)
    assert [layer.shape for layer in dropped.linear_layers] == [layer.shape for layer in model.linear_layers]
    assert units_of(model).obstacles[0] == obstacle
    wanted = (
        "hidden layer" if obstacle == "of an output" else f"neurons and channels {obstacle} cannot be removed"
    )
    with pytest.raises(ValueError, match=wanted):
        snn.prune(model, structure="neuron", sparsity=0.5)
    with pytest.raises(ValueError, match=f"got 0, whose are those {obstacle}"):
        snn.prune(model, structure="neuron", sparsity={0: 0.5})
    same_outputs(model, dropped, {"x": np.random.default_rng(0).standard_normal((20, 3))})


def test_a_layer_at_several_nodes_shrinks_as_one():
    """Its rows and columns are tied to those of what it reads; what is constant must be so at each node."""
    first, again, last = linear(6, 3, 0), linear(6, 6, 1), linear(2, 6, 2)
    first.weight[4], first.bias[4] = 0, 0
    again.weight[[1, 4]] = 0
    again.bias[4] = 0
    again.weight[:, 4] = 0
    x = snn.Input((3,), name="x")
    h = snn.Tanh()(first(x))
    for _ in range(3):
        h = snn.Tanh()(again(h))
    model = snn.Model(inputs=x, outputs=last(h))
    dropped = snn.drop_dead_neurons(model)
    assert [layer.shape for layer in dropped.linear_layers] == [(5, 3), (5, 5), (2, 5)]
    same_outputs(model, dropped, {"x": np.random.default_rng(0).standard_normal((20, 3))})
    pruned = snn.prune(model, structure="neuron", sparsity=0.5)
    assert [layer.shape for layer in pruned.linear_layers] == [(3, 3), (3, 3), (2, 3)]
    assert len({id(layer) for layer in pruned.layers if isinstance(layer, snn.Linear)}) == 3


def test_neurons_that_are_an_output_stay():
    hidden, last = linear(4, 3, 0), linear(2, 4, 1)
    last.weight[:, 1] = 0
    x = snn.Input((3,), name="x")
    h = hidden(x)
    for outputs in ([h, last(h)], [snn.Tanh()(h), last(h)], [snn.Concat()(h, x), last(h)]):
        model = snn.Model(inputs=x, outputs=outputs)
        assert snn.drop_dead_neurons(model).linear_layers[0].shape == (4, 3)
        assert units_of(model).obstacles[0] == "of an output"


def test_a_neuron_that_is_read_twice_by_one_layer():
    hidden, last = linear(3, 3, 0), linear(2, 9, 1)
    last.weight[:, [1, 7]] = 0
    x = snn.Input((3,), name="x")
    h = snn.Tanh()(hidden(x))
    model = snn.Model(inputs=x, outputs=last(snn.Concat()(h, x, h)))
    dropped = snn.drop_dead_neurons(model)
    assert [layer.shape for layer in dropped.linear_layers] == [(2, 3), (2, 7)]
    same_outputs(model, dropped, {"x": np.random.default_rng(0).standard_normal((20, 3))})
    last.weight[:, 7] = 1
    assert snn.drop_dead_neurons(model).linear_layers[0].shape == (3, 3)


def random_graph(seed: int) -> snn.Model:
    """Layers of very sparse weights, at random places, joined at random; two outputs."""
    rng = np.random.default_rng(seed)
    x = snn.Input((6,), name="x")
    values = [x]
    for _ in range(8):
        value = values[rng.integers(len(values))]
        kind = rng.integers(6)
        if kind == 0:
            value = snn.Concat()(value, values[rng.integers(len(values))])
        elif kind == 1:
            alike = [other for other in values if other.dims == value.dims]
            value = snn.Add()(value, alike[rng.integers(len(alike))])
        elif kind == 2:
            value = snn.Slice(start=1, step=2)(value)
        rows = int(rng.integers(3, 7))
        weight = rng.standard_normal((rows, value.dims[1])) * (rng.random((rows, value.dims[1])) < 0.2)
        layer = snn.Linear(weight, rng.standard_normal(rows) if rng.random() < 0.7 else None)
        values.append((snn.Tanh(), snn.ReLU(), snn.GELU())[rng.integers(3)](layer(value)))
    return snn.Model(inputs=x, outputs=values[-2:])


def test_dropping_changes_nothing_in_random_graphs(rng):
    removed = 0
    for seed in range(40):
        model = random_graph(seed)
        dropped = snn.drop_dead_neurons(snn.prune(model, sparsity=0) if seed % 2 else model)
        same_outputs(model, dropped, {"x": rng.standard_normal((20, 6))})
        again = snn.drop_dead_neurons(dropped)
        assert [a.shape for a in again.linear_layers] == [a.shape for a in dropped.linear_layers]
        removed += sum(
            before.shape[0] - after.shape[0]
            for before, after in zip(model.linear_layers, dropped.linear_layers, strict=True)
        )
    assert removed > 40


def test_neuron_pruning_on_branches(rng):
    model = joined()
    x = rng.standard_normal((40, 6)).astype(np.float32)
    with pytest.raises(ValueError, match="got 2, whose are those that come in with an input"):
        snn.prune(model, structure="neuron", sparsity={2: 0.5})
    assert snn.prune(model, structure="neuron", sparsity=0.5).linear_layers[2].shape[0] == 6
    weight = model.linear_layers[1].weight.copy()
    weight[[0, 3]] = 0
    model.linear_layers[1].weight = weight
    for data in (None, x):
        pruned = snn.prune(model, structure="neuron", sparsity={1: 0.5}, data=data)
        assert [layer.shape for layer in pruned.linear_layers] == [(5, 6), (2, 6), (6, 7), (3, 6)]
        same_outputs(model, pruned, {"x": x})


def test_residual_layers_share_their_neurons(rng):
    """Three blocks on one stream of 8: a group has a row in four layers, and goes as one."""
    x = snn.Input((5,), name="x")
    first, last = linear(8, 5, 0), linear(3, 8, 9)
    h = first(x)
    for block in range(3):
        inner = snn.ReLU()(linear(6, 8, 10 + block)(h))
        h = snn.Add()(linear(8, 6, 20 + block)(inner), h)
    model = snn.Model(inputs=x, outputs=last(h))
    pruned = snn.prune(model, structure="channel", sparsity={0: 0.25, 1: 0.5}, keep=3)
    shapes = [layer.shape for layer in pruned.linear_layers]
    assert shapes == [(6, 5), (3, 6), (6, 3), (6, 6), (6, 6), (6, 6), (6, 6), (3, 6)]
    with pytest.raises(ValueError, match=r"same for layers .* got 0.25 for layer 0 and 0.5 for layer 2"):
        snn.prune(model, structure="neuron", sparsity={0: 0.25, 2: 0.5})
    kept = snn.prune(model, structure="neuron", sparsity=0.5, keep=4)
    assert [layer.shape[0] for layer in kept.linear_layers[::2]] == [8, 8, 8, 8]
    sizes = [np.abs(layer.weight).astype(np.float64) for layer in model.linear_layers]
    incoming = np.mean([sizes[i].mean(axis=1) for i in (0, 2, 4, 6)], axis=0)
    score = incoming + np.mean([sizes[i].mean(axis=0) for i in (1, 3, 5, 7)], axis=0)
    stays = np.sort(np.argsort(score)[2:])
    np.testing.assert_array_equal(pruned.linear_layers[0].weight, first.weight[stays])
    np.testing.assert_array_equal(pruned.linear_layers[-1].weight, last.weight[:, stays])


def test_a_constant_that_is_too_large_stays_where_it_is():
    """Infinite in float32: folded, it would make a bias of it."""
    hidden, last = linear(3, 2, 0), linear(2, 3, 1)
    hidden.weight[1], hidden.bias[1] = 0, np.float32(3e38)
    x = snn.Input((2,), name="x")
    for factor, left in ((2.0, 3), (1e-30, 2)):
        model = snn.Model(inputs=x, outputs=last(snn.Mul()(hidden(x), np.float32(factor))))
        assert snn.drop_dead_neurons(model).linear_layers[0].shape == (left, 2)
