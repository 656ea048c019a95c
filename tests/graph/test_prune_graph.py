"""Pruning of graphs: criteria over all Linear layers, shared ones once; neurons that nothing needs."""

import warnings

import numpy as np
import pytest
from graphs import linear, only, residual

import sparsenn as snn
from sparsenn.prune.criteria import find_criterion
from sparsenn.prune.reach import reached_outputs
from sparsenn.prune.readers import neurons_of


def dense(layer):
    return layer.weight.toarray() if layer.sparse else layer.weight


@pytest.mark.parametrize("criterion", ["magnitude", "random"])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_weights_go_from_every_layer(case, criterion, scope):
    if not case.model.linear_layers:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pruned = snn.prune(case.model, sparsity=0.7, criterion=criterion, scope=scope)
    whole = sum(dense(layer).size for layer in case.model.linear_layers)
    assert abs(pruned.nnz - 0.3 * whole) <= len(pruned.linear_layers)
    assert len(pruned.linear_layers) == len(case.model.linear_layers)
    assert [node.layer.op for node in pruned.nodes] == [node.layer.op for node in case.model.nodes]
    if criterion == "magnitude" and scope == "global":
        kept = np.concatenate([abs(layer.weight.data) for layer in pruned.linear_layers])
        every = np.concatenate([abs(dense(layer)).ravel() for layer in case.model.linear_layers])
        assert kept.min() >= np.sort(every)[-pruned.nnz]


def joined(seed=0, activation=snn.Tanh):
    """Two branches and a residual connection; one input of 6, one output of 3."""
    a, b, c, d = (linear(*size, seed + i) for i, size in enumerate([(5, 6), (4, 6), (6, 9), (3, 6)]))
    x = snn.Input((6,), name="x")
    both = snn.Concat()(activation()(a(x)), snn.Sigmoid()(b(x)))
    y = d(snn.Mul()(snn.Add()(c(both), x), np.linspace(0.5, 2, 6)))
    return snn.Model(inputs=x, outputs=y)


def shared_layer(seed=0):
    """A layer at three nodes between two others."""
    first, again, last = linear(4, 6, seed), linear(4, 4, seed + 1), linear(3, 4, seed + 2)
    x = snn.Input((6,), name="x")
    h = snn.Tanh()(first(x))
    for _ in range(3):
        h = snn.Add()(snn.Tanh()(again(h)), h)
    return snn.Model(inputs=x, outputs=last(h))


def weight_slopes(model, x, t):
    """The gradient of each sample's squared error at each weight, by differences: (n, out, in) a layer."""
    found = []
    for layer in model.linear_layers:
        weight, slopes = layer.weight.copy(), np.zeros((len(x), *layer.shape))
        for place in np.ndindex(*layer.shape):
            losses = []
            for step in (1e-3, -1e-3):
                moved = weight.astype(np.float64)
                moved[place] += step
                layer.weight = moved
                step_taken = float(layer.weight[place]) - float(weight[place])
                losses.append((snn.reference(model, x), step_taken))
            (y0, h0), (y1, h1) = losses
            loss = [np.square(y - t).mean(axis=1) for y in (y0, y1)]
            slopes[(slice(None), *place)] = (loss[0] - loss[1]) / (h0 - h1)
        layer.weight = weight
        found.append(slopes)
    return found


@pytest.mark.parametrize("make", [joined, shared_layer])
@pytest.mark.parametrize("sparse", [False, True])
def test_criteria_that_look_at_data_see_each_samples_gradient(make, sparse):
    model = make()
    rng = np.random.default_rng(3)
    x, t = rng.standard_normal((5, 6)).astype(np.float32), rng.standard_normal((5, 3))
    slopes = weight_slopes(model, x, t)
    weights = [layer.weight.astype(np.float64) for layer in model.linear_layers]
    wanted = {
        "gradient": [abs(s).mean(axis=0) for s in slopes],
        "taylor": [abs(w * s.mean(axis=0)) for w, s in zip(weights, slopes, strict=True)],
        "hessian": [w * w * np.square(s).mean(axis=0) / 2 for w, s in zip(weights, slopes, strict=True)],
    }
    given = snn.prune(model, sparsity=0) if sparse else model
    for name, importances in wanted.items():
        got = find_criterion(name)(given, (x, t, "mse"))
        scale = max(array.max() for array in importances)
        for one, other in zip(got, importances, strict=True):
            np.testing.assert_allclose(one.reshape(other.shape), other, rtol=2e-3, atol=2e-3 * scale)


def test_contribution_adds_up_over_the_nodes_of_a_shared_layer():
    model = shared_layer()
    x = np.random.default_rng(0).standard_normal((9, 6)).astype(np.float32)
    first, again, last = (dense(layer).astype(np.float64) for layer in model.linear_layers)
    biases = [layer.bias.astype(np.float64) for layer in model.linear_layers]
    h, seen = np.tanh(x @ first.T + biases[0]), 0
    for _ in range(3):
        seen = seen + abs(h).mean(axis=0)
        h = np.tanh(h @ again.T + biases[1]) + h
    wanted = [abs(first) * abs(x).mean(axis=0), abs(again) * seen, abs(last) * abs(h).mean(axis=0)]
    got = find_criterion("contribution")(model, x)
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def same_outputs(before, after, inputs):
    for one, other in zip(*(only_values(model, inputs) for model in (before, after)), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * (1 + np.abs(one).max()))


def only_values(model, inputs):
    got = snn.reference(model, only(inputs))
    return list(got.values()) if isinstance(got, dict) else [got]


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


def test_a_step_by_step_pruning_without_training(rng):
    model = joined()
    x, t = rng.standard_normal((30, 6)), rng.standard_normal((30, 3))
    pruned, trace = snn.prune_iteratively(
        model, x, t, sparsity=0.5, steps=2, epochs_per_step=0, criterion="taylor", drop_dead=False
    )
    assert len(trace) == 2 and abs(pruned.sparsity - 0.5) < 0.02
    error = np.square(snn.reference(pruned, x) - t).mean()
    assert trace[-1]["loss"] == pytest.approx(error, rel=1e-5)


def test_training_refuses_graphs(rng):
    model = residual().model
    x = rng.standard_normal((10, 8))
    for call in (lambda: snn.train(model, x, x), lambda: snn.prune_neurons(model, x, x, width=4)):
        with pytest.raises(
            snn.UnsupportedError, match=r"takes a chain of layers only, .* got Model\(x \(8\) -> y"
        ):
            call()


def test_criteria_need_one_input_and_one_output(case):
    if len(case.model.input_values) + len(case.model.output_values) == 2 or not case.model.linear_layers:
        return
    with pytest.raises(ValueError, match="model must have one (in|out)put of"):
        snn.prune(case.model, criterion="gradient", data=(np.zeros((3, 8)), np.zeros((3, 2))))


def test_what_is_reached_is_what_moves_with_the_inputs(case, rng):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = snn.prune(case.model, sparsity=0.85) if case.model.linear_layers else case.model
    x = [{name: array * 3 for name, array in case.inputs(60, seed).items()} for seed in (1, 2)]
    for name, mask in reached_outputs(model).items():
        index = [value.name for value in model.output_values].index(name)
        one, other = (only_values(model, given)[index].reshape(60, -1) for given in x)
        moves = (one != other).any(axis=0)
        assert not (moves & ~mask).any()
        if case.name in ("several", "moved", "constants", "spread"):  # no sum cancels, no ReLU hides
            np.testing.assert_array_equal(moves, mask)


def test_outputs_that_are_cut_off_are_named():
    first, last = linear(3, 4, 0), snn.Linear(np.diag([1, 0.01, 1]))
    x = snn.Input((4,), name="x")
    h = first(x)
    model = snn.Model(inputs=x, outputs={"h": h, "scores": last(h)})
    with pytest.warns(
        UserWarning, match="pruned too far: output 1 of 'scores' does not depend on the inputs"
    ):
        snn.prune(model, threshold=0.5, keep=0)
