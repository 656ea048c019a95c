"""Training of recurrent networks: gradients against differences and torch, any threads, pruning, regrowth."""

import numpy as np
import pytest
from graphs import only
from recurrent_networks import KINDS, random_case, sequence_model
from test_train_graph import bits, finite_differences, gradients

import sparsenn as snn
from sparsenn.graph.value import Value
from sparsenn.graph.walk import walk, walk_back
from sparsenn.reference import as_inputs

ISAS = snn.cpu_info()["isas_usable"]


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(300 if metafunc.config.getoption("conv_check") else 24))


def with_head(model: snn.Model, rng, *, states: bool) -> snn.Model:
    """The model with values (batch, 3) behind y; states: with a layer before each of the inputs of states."""
    starts = {value: snn.Input(value.dims[1:], name=value.name) for value in model.input_values}
    given = {
        value: snn.Linear(rng.standard_normal((start.dims[1],) * 2) / 2, np.ones(start.dims[1]))(start)
        if states and value.name.startswith("state")
        else start
        for value, start in starts.items()
    }
    made = walk(model, given, lambda node, values: node.layer(*values), constant=lambda own: own)
    h = snn.Flatten()(made[model.output_values[0]])
    weight = rng.standard_normal((3, h.dims[1])) / h.dims[1] ** 0.5
    return snn.Model(inputs=list(starts.values()), outputs={"y": snn.Linear(weight, np.ones(3))(h)})


def exact_gradients(model: snn.Model, inputs, targets: np.ndarray) -> list[np.ndarray]:
    """Of the mean squared error by every parameter, in the order of training: the layers' own in float64."""
    values = walk(
        model,
        as_inputs(model, inputs, np.float64),
        lambda node, operands: node.layer.value(*operands),
        constant=lambda own: own.column(np.float64),
        keep=True,
    )
    y = values[model.output_values[0]]
    found: dict = {}

    def step(node, da):
        layer = node.layer
        z = [values[own] if isinstance(own, Value) else own.column(np.float64) for own in node.inputs]
        if isinstance(layer, snn.layers.Matrix):
            dy = layer.product_gradient(*z, values[node.output], da)
            dense = dy @ layer.columns(*z)[0].T
            weight = dense[layer.weight.tocoo().coords] if layer.sparse else dense
            found[id(layer)] = [weight] + ([] if layer.bias is None else [dy.sum(axis=1)])
        made = layer.gradient(*z, values[node.output], da)
        return made if isinstance(made, tuple) else (made,)

    walk_back(model, {model.output_values[0]: 2 * (y - targets.T) / y.size}, step)
    return [array for layer in model.linear_layers for array in found[id(layer)]]


def test_gradients_are_those_of_the_definition(seed, monkeypatch):
    """Of every option, in every kernel set; and the same bits on any number of threads."""
    monkeypatch.setenv("SPARSENN_ISA", ISAS[seed % len(ISAS)])
    case, rng = random_case(seed, batch=(5, 37, 70)[seed // 3 % 3]), np.random.default_rng(seed)
    model = with_head(case.model, rng, states=bool(seed % 2))
    targets = rng.standard_normal((len(case.given["x"]), 3))
    exact = exact_gradients(model, only(case.given), targets)
    first = None
    for threads in (1, 2, 3):
        got = gradients(model, case.given, {"y": targets}, "mse", threads=threads)
        first = got if first is None else first
        assert [a.tobytes() for a in got] == [a.tobytes() for a in first]
    for slope, wanted in zip(first, exact, strict=True):
        np.testing.assert_allclose(slope, wanted, atol=2e-5 * max(1, abs(wanted).max(initial=0)), rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sparsity", (0.0, 0.6))
def test_gradients_are_the_finite_differences(kind, sparsity, rng):
    """Two layers, the first of them backwards; of a GRU both ways to reset."""
    ways = ({"reset_after": True}, {"reset_after": False}) if kind is snn.GRU else ({},)
    for options in ways:
        model = sequence_model(kind, 4, hidden=3, **options)
        if sparsity:
            model = snn.prune(model, sparsity=sparsity, scope="layer")
        inputs = {"x": rng.standard_normal((5, 4, 3)).astype(np.float32)}
        targets = {"y": rng.standard_normal((5, 2))}
        got = gradients(model, inputs, targets, "mse", threads=2)
        for slope, exact in zip(got, finite_differences(model, inputs, targets), strict=True):
            np.testing.assert_allclose(slope, exact, atol=3e-5 * max(1, abs(exact).max()), rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reverse", (False, True))
def test_truncated_windows_begin_with_constant_states(kind, reverse, rng):
    """As cells of one window each that begin with the states of the one before as constants."""
    hidden, steps, window = 5, 7, 3
    rows = kind.gates * hidden
    weight, bias = rng.standard_normal((rows, hidden)) / 3, rng.standard_normal(rows)
    z = rng.standard_normal((1, steps, rows)).astype(np.float32)
    target = rng.standard_normal((1, steps * hidden))
    x = snn.Input((steps, rows), name="x")
    whole = snn.Model(inputs=x, outputs=snn.Flatten()(kind(weight, bias, reverse=reverse)(x)))
    trainer = snn.Trainer(whole, optimizer="sgd", learning_rate=1e-30, loss="mse", truncate=window)
    trainer.step(z, target)
    got = [parameter.gradient.copy() for parameter in trainer.network.parameters]
    total, states = [np.zeros_like(array) for array in got], []
    turns = np.arange(steps)[:: -1 if reverse else 1]
    for start in range(0, steps, window):
        part = np.sort(turns[start : start + window])
        own = snn.Input((len(part), rows), name="x")
        cell = kind(weight, bias, reverse=reverse, initial=bool(states), states=True)
        h = cell(own, *states)
        y = snn.Flatten()(snn.Slice(axis=1, end=len(part))(h))
        model = snn.Model(inputs=own, outputs=y)
        scale = len(part) / steps  # of the mean over fewer outputs
        wanted = target.reshape(steps, hidden)[part].reshape(1, -1)
        for array, found in zip(
            total, gradients(model, {"x": z[:, part]}, {"y": wanted}, "mse"), strict=True
        ):
            array += scale * found
        last = snn.reference(snn.Model(inputs=own, outputs=h), z[:, part])[0, len(part) :]
        states = [np.float32(state) for state in last]
    for slope, exact in zip(got, total, strict=True):
        np.testing.assert_allclose(slope, exact, atol=1e-5 * abs(exact).max(), rtol=1e-4)
    full = gradients(whole, {"x": z}, {"y": target}, "mse")
    assert abs(full[0] - got[0]).max() > 1e-3 * abs(full[0]).max(), "truncation changed nothing"


@pytest.fixture
def sequences(rng):
    """90 sequences of 6 steps whose class is which of three features was largest at the second step."""
    X = rng.standard_normal((90, 6, 3)).astype(np.float32)
    return X, X[:, 1].argmax(axis=1)


def classifier(kind, **options) -> snn.Model:
    return sequence_model(kind, 6, hidden=16, outputs=3, scale=0.4, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_dense_pruned_fine_tuned_and_regrown(kind, sequences):
    X, y = sequences
    model = classifier(kind)
    change = snn.RecordRange(model)
    options = {"batch_size": 30, "learning_rate": 1e-2}
    snn.train(model, X, y, epochs=60, callbacks=[change], **options)
    assert snn.Trainer(model).evaluate(X, y)[1] > 0.9
    for criterion in ("change", "magnitude", "gradient", "taylor", "hessian"):
        pruned = snn.prune(model, sparsity=0.6, criterion=criterion, data=(X, y))
        assert abs(pruned.sparsity - 0.6) < 0.02
    sparse = snn.prune(model, sparsity=0.7)
    patterns = [layer.weight.indices.copy() for layer in sparse.linear_layers]
    snn.train(sparse, X, y, epochs=30, **options)
    for layer, indices in zip(sparse.linear_layers, patterns, strict=True):
        np.testing.assert_array_equal(layer.weight.indices, indices)
    assert snn.Trainer(sparse).evaluate(X, y)[1] > 0.9
    nnz = [layer.nnz for layer in sparse.linear_layers]
    snn.train(sparse, X, y, epochs=8, regrow=snn.Regrow(), **options)
    assert [layer.nnz for layer in sparse.linear_layers] == nnz
    for layer, indices in zip(sparse.linear_layers, patterns, strict=True):
        assert not np.array_equal(layer.weight.indices, indices)
    plan = snn.compile(sparse, cache=False, tune="off")
    np.testing.assert_allclose(plan.run(X), snn.reference(sparse, X), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reset_after", (True, False))
def test_regrowth_takes_the_steepest_missing_weights(kind, reset_after, rng):
    """Against the gradient of the same model with every weight stored."""
    if kind is not snn.GRU and not reset_after:
        pytest.skip("of a GRU")
    options = {"reset_after": reset_after} if kind is snn.GRU else {}
    model = snn.prune(sequence_model(kind, 5, hidden=7, **options), sparsity=0.6)
    X, Y = rng.standard_normal((40, 5, 3)).astype(np.float32), rng.standard_normal((40, 2))
    full = model.with_layers(
        lambda layer: (
            layer.with_weight(layer.weight.toarray(), layer.bias)
            if isinstance(layer, snn.layers.Matrix)
            else layer
        )
    )
    dense = snn.Trainer(full, optimizer="sgd", learning_rate=1e-30)
    dense.step(X, Y)
    slopes = {step.index: step.weight_parameter.gradient for step in dense.network.linear_steps}
    trainer = snn.Trainer(model, optimizer="sgd")
    before = [layer.weight.copy() for layer in model.linear_layers]
    assert snn.regrow(trainer, X, Y, fraction=0.5)
    for step, old in zip(trainer.network.linear_steps, before, strict=True):
        gradient = slopes[step.index]
        was, now = old.toarray() != 0, np.zeros(step.layer.shape, bool)
        now[step.layer.weight.tocoo().coords] = True
        came, left_out = now & ~was, ~now & ~was
        if came.any() and left_out.any():
            assert abs(gradient[came]).min() >= abs(gradient[left_out]).max() * (1 - 1e-4)


@pytest.mark.parametrize("sparsity", (0.0, 0.6))
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, sequences, sparsity):
    (X, y), path = sequences, tmp_path / "run.npz"
    model = classifier(snn.LSTM)
    model = snn.prune(model, sparsity=sparsity) if sparsity else model
    options = {"epochs": 3, "batch_size": 40, "seed": 3, "clip_norm": 1.0, "truncate": 4}
    whole, stopped, resumed, other = (model.copy() for _ in range(4))
    history = snn.train(whole, X, y, **options)
    snn.train(stopped, X, y, **options, checkpoint=path, callbacks=[lambda _, row: row["epoch"] == 1])
    assert snn.train(resumed, X, y, **options, checkpoint=path, resume=True).loss == history.loss
    assert bits(resumed) == bits(whole)
    for threads in (1, 3):
        again = model.copy()
        snn.train(again, X, y, **options, threads=threads)
        assert bits(again) == bits(whole)
    with pytest.raises(snn.ArgumentError, match="truncate"):
        snn.train(other, X, y, epochs=1, truncate=0)


def test_dropped_weights_are_none_of_the_step(sequences):
    X, y = sequences
    model = classifier(snn.GRU)
    before = bits(model)
    trainer = snn.Trainer(model, weight_drop=0.5, seed=1)
    trainer.accumulate(trainer.prepare(X, y, ("X", "y")))
    assert bits(model) == before
    assert all(np.isfinite(parameter.gradient).all() for parameter in trainer.network.parameters)
    dropped = [(step.weight_parameter.gradient == 0).mean() for step in trainer.network.linear_steps]
    assert all(0.2 < share < 0.8 for share in dropped)


def test_the_core_refuses_what_is_no_recurrence():
    weight = snn._core.Sparse(np.arange(0, 13 * 3, 3), np.tile(np.arange(3, dtype=np.int32), 12), (12, 3))
    samples, numbers = snn._core.tile_samples(), [0] * 8
    tiles = {size: np.zeros((1, size, samples), np.float32) for size in (9, 20, 60, 99, 100)}

    def run(op="lstm", numbers=numbers, clip=0.0, steps=2, x=99, y=20, h=20, c=20, kept=60, z=None):
        core = snn._core.Recurrence(weight, op, numbers, clip, steps)
        arrays = (tiles[x], [], None, None, tiles[y], tiles[h], tiles[c], tiles[kept])
        core.forward(None, *arrays, None if z is None else tiles[z])

    run()
    for options, message in [
        ({"op": "linear"}, "op must be a recurrent one"),
        ({"numbers": [0] * 7}, "must have 8 whole numbers, got 7"),
        ({"numbers": [2] + [0] * 7}, r"reverse must be in \[0, 1\], got 2"),
        ({"op": "rnn", "numbers": [0] * 5}, "must have 1 rows for each of its 3 columns"),
        ({"clip": -1.0}, "clip"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"x": 9}, "x must have a stride"),
        ({"y": 9, "steps": 4}, "y must have a stride"),
        ({"kept": 9}, "kept must have a stride"),
        ({"clip": 1.0}, "z must"),
        ({"numbers": [0, 1] + [0] * 6}, "the initial h must"),
    ]:
        with pytest.raises(snn.SparsennError, match=message):
            run(**options)
