"""Every criterion against a float64 oracle on random networks, dense and sparse; LAMP; recorded ranges."""

import numpy as np
import prune_oracle
import pytest

import sparsenn as snn
from sparsenn.prune.criteria import find_criterion
from sparsenn.prune.csr import stored_positions
from sparsenn.prune.lamp import lamp_score

WITH_DATA = ("contribution", "gradient", "hessian", "taylor")
EPS = float(np.finfo(np.float32).eps)


def stored(layer, dense):
    """The entries of dense (out, in) where the layer stores weights, in storage order and shape."""
    return dense[stored_positions(layer.weight)] if layer.sparse else dense


def random_case(rng, number):
    """A random network (every third one partly sparse), data, float64 targets and the loss's name."""
    depth = int(rng.integers(1, 4))
    sizes = [int(size) for size in rng.integers(2, 14, depth + 1)]
    loss = "mse" if number % 4 == 3 else "cross_entropy"
    activation = ("relu", "tanh", "gelu", "sigmoid", "clipped_relu")[number % 5]
    output = "softmax" if number % 4 == 2 else None
    model = snn.mlp(sizes, activation=activation, output=output, seed=number)
    for layer in model.linear_layers:
        layer.bias = rng.normal(0, 0.3, layer.shape[0])
    if number % 3 == 0:
        model = snn.prune(model, sparsity=0.4, keep=() if depth == 1 else -1)
    samples = int(rng.integers(1, 20))
    X = rng.normal(0, 1, (samples, sizes[0])).astype(np.float32)
    if loss == "mse":
        return model, X, rng.normal(0, 1, (samples, sizes[-1])).astype(np.float32), loss
    return model, X, rng.integers(0, sizes[-1], samples), loss


@pytest.mark.parametrize("name", WITH_DATA)
@pytest.mark.parametrize("number", range(25))
def test_criteria_agree_with_the_oracle(rng, name, number):
    model, X, targets, loss = random_case(np.random.default_rng(number), number)
    wanted = prune_oracle.importance(name, model, X, targets, loss)
    found = find_criterion(name)(model, (X, targets, loss))
    # Sums of at most k products of factors that went through at most 6 layers of sums of at most 14 terms; an
    # activation or a softmax adds a few roundings of its own. Cancellation in the slopes is relative to the
    # layer's largest entry.
    rounding = EPS * 6 * (14 + 2 + 8) * 4 + EPS * len(X)
    for layer, one, other in zip(model.linear_layers, found, wanted, strict=True):
        other = stored(layer, other)
        assert one.shape == other.shape and np.isfinite(one).all()
        np.testing.assert_allclose(
            one, other, rtol=0, atol=rounding * max(np.abs(other).max(initial=0), 1e-30)
        )


def test_many_samples_go_in_parts(monkeypatch, rng):
    """More samples than one part holds give the mean over all of them."""
    from sparsenn.prune import forward

    model, X, targets, loss = random_case(np.random.default_rng(6), 6)
    X, targets = np.repeat(X, 5, axis=0), np.repeat(targets, 5)
    X = X + rng.normal(0, 0.1, X.shape).astype(np.float32)
    whole = {name: find_criterion(name)(model, (X, targets, loss)) for name in WITH_DATA}
    monkeypatch.setattr(forward, "_SAMPLES", 7)
    for name, wanted in whole.items():
        for one, other in zip(find_criterion(name)(model, (X, targets, loss)), wanted, strict=True):
            np.testing.assert_allclose(
                one, other, rtol=0, atol=EPS * len(X) * 20 * np.abs(other).max(initial=0)
            )


def test_magnitude_is_the_absolute_value():
    model = snn.prune(snn.mlp([5, 6, 3], seed=1), sparsity=0.3, keep=-1)
    sparse, dense = find_criterion("magnitude")(model, None)
    np.testing.assert_array_equal(sparse, np.abs(model.linear_layers[0].weight.data))
    np.testing.assert_array_equal(dense, np.abs(model.linear_layers[1].weight))


def test_contribution_takes_the_inputs_alone(rng):
    model, X = snn.mlp([4, 6, 3]), rng.normal(0, 1, (9, 4))
    for one, other in zip(
        find_criterion("contribution")(model, X),
        find_criterion("contribution")(model, (X, np.zeros(9))),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def train_digits(model, **options):
    X, y, _, _ = snn.datasets.digits()
    return snn.train(model, X[:200], y[:200], batch_size=50, **options)


def test_change_is_the_range_of_the_values_during_training():
    model = snn.mlp([64, 20, 10], seed=4)
    recorder = snn.RecordRange(model)
    seen = [[layer.weight.copy() for layer in model.linear_layers]]
    train_digits(
        model,
        epochs=4,
        callbacks=[
            recorder,
            lambda trainer, row: (
                seen.append([layer.weight.copy() for layer in model.linear_layers]) and False
            ),
        ],
    )
    assert len(seen) == 5
    ranges = [np.max(weights, axis=0) - np.min(weights, axis=0) for weights in zip(*seen, strict=True)]
    for one, other in zip(find_criterion("change")(model, None), ranges, strict=True):
        np.testing.assert_array_equal(one, other)
        assert (other > 0).any()


def test_the_record_follows_a_pruned_model_and_goes_on():
    model = snn.mlp([64, 20, 10], seed=4)
    train_digits(model, epochs=2, callbacks=[snn.RecordRange(model)])
    before = find_criterion("change")(model, None)
    for options in (
        {"criterion": "change", "sparsity": 0.5},
        {"criterion": "magnitude", "sparsity": 0.5},
        {"criterion": "change", "structure": "block", "block": (2, 2), "sparsity": 0.5},
    ):
        sparse = snn.prune(model, **options)
        for layer, dense, after in zip(
            sparse.linear_layers, before, find_criterion("change")(sparse, None), strict=True
        ):
            np.testing.assert_array_equal(after, stored(layer, dense))
    shrunk = snn.prune(model, criterion="change", structure="neuron", sparsity=0.5)
    assert find_criterion("change")(shrunk, None)[0].shape == shrunk.linear_layers[0].shape
    at_first = find_criterion("change")(sparse, None)
    train_digits(sparse, epochs=1, learning_rate=0.1, callbacks=[snn.RecordRange(sparse)])
    for old, new in zip(at_first, find_criterion("change")(sparse, None), strict=True):
        assert (new >= old).all() and (new > old).any()


def test_change_without_a_history_is_refused():
    model = snn.mlp([5, 4, 3])
    before = [layer.weight.copy() for layer in model.linear_layers]
    with pytest.raises(
        ValueError, match="criterion 'change' needs the weights' history, got none for Linear"
    ):
        snn.prune(model, criterion="change")
    with pytest.raises(TypeError, match="model must be a Model, got ndarray"):
        snn.RecordRange(np.ones(3))
    for layer, weight in zip(model.linear_layers, before, strict=True):
        np.testing.assert_array_equal(layer.weight, weight)


@pytest.mark.parametrize("size", [1, 2, 17, 300])
def test_lamp_is_the_square_over_the_sum_of_all_that_are_not_smaller(rng, size):
    magnitude = np.abs(rng.normal(0, 1, size)).astype(np.float32)
    magnitude[rng.random(size) < 0.2] = 0
    order = np.argsort(magnitude, kind="stable")
    wanted = np.zeros(size)
    for place, index in enumerate(order):
        remaining = sum(float(magnitude[other]) ** 2 for other in order[place:])
        wanted[index] = float(magnitude[index]) ** 2 / remaining if remaining else 0
    np.testing.assert_allclose(lamp_score(magnitude), wanted, rtol=1e-12, atol=0)


def test_lamp_spares_a_layer_of_small_weights():
    layers = [
        snn.Linear(np.linspace(1, 2, 60).reshape(6, 10)),
        snn.Linear(np.linspace(0.01, 0.02, 24).reshape(4, 6)),
    ]
    model = snn.Model(layers)
    plain = snn.prune(model, sparsity=0.5)
    lamp = snn.prune(model, sparsity=0.5, normalize="lamp")
    assert [layer.nnz for layer in plain.linear_layers] == [42, 0]
    assert lamp.nnz == 42 and min(layer.nnz for layer in lamp.linear_layers) > 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "data must be .* for criterion"),
        ((np.ones((5, 3)), np.zeros(5, int)), r"X must have shape \(n, 4\), got \(5, 3\)"),
        ((np.full((5, 4), np.nan), np.zeros(5, int)), "X must be finite"),
        ((np.ones((0, 4)), np.zeros(0, int)), "X must hold at least one sample"),
    ],
)
@pytest.mark.parametrize("name", WITH_DATA)
def test_bad_data_is_refused(name, data, message):
    with pytest.raises(ValueError, match=message):
        snn.prune(snn.mlp([4, 6, 3]), criterion=name, data=data)


@pytest.mark.parametrize("name", ["gradient", "hessian", "taylor"])
def test_labels_are_checked(name):
    model, X = snn.mlp([4, 6, 3]), np.ones((5, 4))
    for data, message in (
        ((X,), "data must be .X, y. or .X, y, loss. for criterion .*, got 1 values"),
        (X, "data must be .X, y. or .X, y, loss. for criterion .*, got ndarray"),
        ((X, np.zeros(4, int)), r"y must hold as many samples as X \(5\), got 4"),
        ((X, np.full(5, 3)), r"y must hold labels in \[0, 3\), got 3"),
        ((X, np.zeros(5, int), "size"), "loss must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            snn.prune(model, criterion=name, data=data)
