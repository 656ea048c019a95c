"""Neurons of graphs: they go only where nothing needs them."""

import numpy as np
import pytest
from graphs import joined, linear, only_values

import sparsenn as snn
from sparsenn.prune.readers import neurons_of


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


@pytest.mark.parametrize(
    "read, obstacle",
    [
        (lambda h, last: last(snn.Add()(h, h)), "before an Add"),
        (lambda h, last: last(snn.Mul()(h, np.ones(4))), "before a Mul"),
        (lambda h, last: last(snn.Softmax()(h)), "before a Softmax"),
        (lambda h, last: last(snn.Flatten()(snn.Reshape((2, 2))(h))), "before a Reshape"),
        (lambda h, last: last(snn.Transpose((1,))(h)), "before a Transpose"),
        (lambda h, last: last(snn.Concat()(snn.Slice(end=2)(h), snn.Slice(start=2)(h))), "before a Slice"),
        (lambda h, last: last(snn.ReLU()(last(h))), "before a layer that stands at several nodes"),
    ],
)  # fmt: skip
def test_where_it_cannot_be_told_neurons_stay(read, obstacle):
    hidden, last = linear(4, 3, 0), snn.Linear(np.eye(4)[:, ::-1] * [1, 0, 1, 1], np.ones(4))
    hidden.weight[2] = 0
    x = snn.Input((3,), name="x")
    model = snn.Model(inputs=x, outputs=read(hidden(x), last))
    dropped = snn.drop_dead_neurons(model)
    assert [layer.shape for layer in dropped.linear_layers] == [(4, 3), (4, 4)]
    assert neurons_of(model)[0].obstacle == obstacle
    with pytest.raises(ValueError, match=f"cannot remove neurons {obstacle}: use keep=0"):
        snn.prune(model, structure="neuron", sparsity=0.5)
    same_outputs(model, dropped, {"x": np.random.default_rng(0).standard_normal((20, 3))})


def test_neurons_that_are_an_output_stay():
    hidden, last = linear(4, 3, 0), linear(2, 4, 1)
    last.weight[:, 1] = 0
    x = snn.Input((3,), name="x")
    h = hidden(x)
    for outputs in ([h, last(h)], [snn.Tanh()(h), last(h)], [snn.Concat()(h, x), last(h)]):
        model = snn.Model(inputs=x, outputs=outputs)
        assert snn.drop_dead_neurons(model).linear_layers[0].shape == (4, 3)
        assert neurons_of(model)[0].is_output


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
    with pytest.raises(ValueError, match="cannot remove neurons before an Add: use keep=2"):
        snn.prune(model, structure="neuron", sparsity=0.5)
    weight = model.linear_layers[1].weight.copy()
    weight[[0, 3]] = 0
    model.linear_layers[1].weight = weight
    for data in (None, x):
        pruned = snn.prune(model, structure="neuron", sparsity={1: 0.5}, data=data)
        assert [layer.shape for layer in pruned.linear_layers] == [(5, 6), (2, 6), (6, 7), (3, 6)]
        same_outputs(model, pruned, {"x": x})
