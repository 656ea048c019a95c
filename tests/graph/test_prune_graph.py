"""Pruning of graphs: criteria over all Linear layers, shared ones once, and what is cut off."""

import warnings

import numpy as np
import pytest
from graphs import joined, linear, only, only_values, residual

import sparsenn as snn
from sparsenn.prune.criteria import find_criterion
from sparsenn.prune.reach import reached_outputs


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


def test_a_step_by_step_pruning_without_training(rng):
    model = joined()
    x, t = rng.standard_normal((30, 6)), rng.standard_normal((30, 3))
    pruned, trace = snn.prune_iteratively(
        model, x, t, sparsity=0.5, steps=2, epochs_per_step=0, criterion="taylor", drop_dead=False
    )
    assert len(trace) == 2 and abs(pruned.sparsity - 0.5) < 0.02
    error = np.square(snn.reference(pruned, x) - t).mean()
    assert trace[-1]["loss"] == pytest.approx(error, rel=1e-5)


def test_pruning_neurons_of_graphs(rng):
    """The second layer of a residual block is tied to the input and the output: the first alone shrinks."""
    x = rng.standard_normal((10, 8))
    pruned, trace = snn.prune_neurons(residual().model, x, x, width=4, step=0.3, epochs_per_step=1)
    assert [row["widths"] for row in trace] == [[6], [4]] == [[row["neurons"]] for row in trace]
    assert [layer.shape for layer in pruned.linear_layers] == [(4, 8), (8, 4)]
    weakest, _ = snn.prune_neurons(residual().model, x, x, threshold=1e9, epochs_per_step=0, step=0.5)
    assert [layer.shape for layer in weakest.linear_layers] == [(1, 8), (8, 1)]


def test_criteria_need_one_input_and_one_output(case):
    if len(case.model.input_values) + len(case.model.output_values) == 2 or not case.model.linear_layers:
        return
    x = case.inputs(3)
    with pytest.raises(ValueError, match="model must have one (in|out)put "):
        snn.prune(case.model, criterion="gradient", data=(only(x), np.zeros((3, 2))))


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
