"""train and Trainer: what they learn, record, repeat and refuse. Gradients have a file of their own."""

import itertools
import json
import tracemalloc

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn


def make_blobs(rng, samples=90, inputs=4, classes=3):
    """Three well separated clouds: X (samples, inputs) float32, y (samples,) int64."""
    y = np.arange(samples) % classes
    centres = 4 * np.eye(classes, inputs)
    return (centres[y] + rng.standard_normal((samples, inputs))).astype(np.float32), y


def small_model(*, sparse=False, seed=0, output="linear", inputs=4, classes=3):
    model = snn.mlp([inputs, 16, classes], seed=seed, output=output)
    return snn.prune(model, sparsity=0.5) if sparse else model


def arrays_of(model):
    """Copies of every weight's stored values and every bias."""
    arrays = []
    for layer in model.linear_layers:
        arrays.append((layer.weight.data if layer.sparse else layer.weight).copy())
        if layer.bias is not None:
            arrays.append(layer.bias.copy())
    return arrays


def assert_same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32))


def accuracy(model, X, y):
    return float((model.predict(X).argmax(axis=1) == y).mean())


def test_digits_dense_then_pruned():
    X, y, X_test, y_test = snn.datasets.digits()
    model = snn.mlp([64, 128, 10], seed=0)
    history = snn.train(model, X, y, epochs=15, learning_rate=3e-3)
    dense = accuracy(model, X_test, y_test)
    assert dense > 0.95
    assert history.loss[-1] < 0.1 * history.loss[0]
    sparse = snn.prune(model, sparsity=0.9, keep=-1)
    before = accuracy(sparse, X_test, y_test)
    snn.train(sparse, X, y, epochs=10, learning_rate=3e-3)
    after = accuracy(sparse, X_test, y_test)
    assert after > 0.95 and after > before


@pytest.mark.parametrize("sparse", [False, True])
def test_same_seed_same_bits(rng, sparse):
    X, y = make_blobs(rng)
    options = {"epochs": 4, "batch_size": 16, "validation_split": 0.2, "l2": 1e-3}
    models, histories = [], []
    for seed in (7, 7, 8):
        models.append(small_model(sparse=sparse))
        histories.append(snn.train(models[-1], X, y, seed=seed, **options).to_dict())
        histories[-1].pop("seconds")
    assert_same_bits(arrays_of(models[0]), arrays_of(models[1]))
    assert histories[0] == histories[1]
    assert histories[0] != histories[2]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_sparse_model_trains_alike_on_any_number_of_threads(rng, threads):
    X, y = make_blobs(rng)
    reference, model = small_model(sparse=True), small_model(sparse=True)
    snn.train(reference, X, y, epochs=3)
    snn.train(model, X, y, epochs=3, threads=threads)
    assert_same_bits(arrays_of(reference), arrays_of(model))


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_training_keeps_the_pattern_and_moves_the_values(rng, optimizer):
    X, y = make_blobs(rng)
    model = small_model(sparse=True)
    before = [layer.weight.copy() for layer in model.linear_layers]
    trainer = snn.Trainer(model, optimizer=optimizer, learning_rate=1e-3, threads=1)
    for _ in range(1000):
        trainer.step(X, y)
    for old, layer in zip(before, model.linear_layers, strict=True):
        np.testing.assert_array_equal(layer.weight.indptr, old.indptr)
        np.testing.assert_array_equal(layer.weight.indices, old.indices)
        assert (layer.weight.data != old.data).any()
    for parameter in trainer.network.parameters:
        assert parameter.gradient.shape == parameter.values.shape
        assert all(array.size == parameter.values.size for array in parameter.state.values())
    assert [p.values.size for p in trainer.network.parameters[::2]] == [w.nnz for w in before]


def test_nothing_of_dense_size_for_a_sparse_layer(rng):
    width, row = 8192, 8
    indices = np.sort(rng.integers(0, width // row, (width, row)) * row + np.arange(row), axis=1)
    weight = scipy.sparse.csr_array(
        (
            rng.standard_normal(width * row, dtype=np.float32),
            indices.ravel(),
            np.arange(0, width * row + 1, row),
        ),
        shape=(width, width),
    )
    model = snn.Model([snn.Linear(weight, np.zeros(width)), snn.Tanh(), snn.Linear(weight)])
    X, y = (
        rng.standard_normal((4, width), dtype=np.float32),
        rng.standard_normal((4, width), dtype=np.float32),
    )
    tracemalloc.start()
    snn.train(model, X, y, epochs=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < width * width  # a quarter of one dense float32 array


def test_history_is_plain_data(rng):
    X, y = make_blobs(rng)
    history = snn.train(small_model(), X, y, epochs=3, validation_split=0.2, learning_rate=0.01)
    record = json.loads(json.dumps(history.to_dict()))
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"):
        assert len(record[name]) == 3 and all(isinstance(value, float) for value in record[name])
    assert record["learning_rate"] == [0.01] * 3
    assert record["best_epoch"] is None
    assert snn.train(small_model(), X, y, epochs=0).to_dict()["loss"] == []
    regression = snn.train(snn.mlp([4, 1]), X, X[:, 0], epochs=2)
    assert regression.accuracy == regression.val_loss == regression.val_accuracy == []


def test_the_first_loss_and_accuracy_are_those_of_the_model_it_was_given(rng):
    X, y = make_blobs(rng)
    model = small_model()
    logits = model.predict(X).astype(np.float64)
    wanted = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y])
    trainer = snn.Trainer(model)
    loss, share = trainer.evaluate(X, y)
    assert loss == pytest.approx(wanted, rel=1e-5) and share == accuracy(model, X, y)
    assert trainer.step(X, y) == pytest.approx(wanted, rel=1e-5)
    history = snn.train(small_model(), X, y, epochs=1, batch_size=len(X))
    assert history.loss[0] == pytest.approx(wanted, rel=1e-5) and history.accuracy[0] == share


def test_train_is_a_loop_over_step(rng):
    X, y = make_blobs(rng, samples=50)
    one, other = small_model(), small_model()
    snn.train(one, X, y, epochs=2, batch_size=16, shuffle=False)
    trainer = snn.Trainer(other)
    for _, start in itertools.product(range(2), range(0, 50, 16)):
        trainer.step(X[start : start + 16], y[start : start + 16])
    assert_same_bits(arrays_of(one), arrays_of(other))


def test_labels_may_be_one_hot_and_the_model_may_end_in_softmax(rng):
    X, y = make_blobs(rng)
    layers = small_model().layers
    models = [small_model(), small_model(), snn.Model([*snn.Model(layers).copy().layers, snn.Softmax()])]
    for model, labels in zip(models, (y, np.eye(3)[y], y), strict=True):
        snn.train(model, X, labels, epochs=2)
    assert_same_bits(arrays_of(models[0]), arrays_of(models[1]))
    assert_same_bits(arrays_of(models[0]), arrays_of(models[2]))


def test_linear_regression_finds_the_coefficients(rng):
    X = rng.standard_normal((256, 3), dtype=np.float32)
    y = X @ np.array([1.5, -2.0, 0.5], np.float32) + np.float32(0.25)
    model = snn.mlp([3, 1], output="linear", seed=1)
    snn.train(
        model, X, y, epochs=60, batch_size=32, optimizer=snn.optim.Momentum(momentum=0.5), learning_rate=0.05
    )
    np.testing.assert_allclose(model.layers[0].weight, [[1.5, -2.0, 0.5]], atol=1e-4)
    np.testing.assert_allclose(model.layers[0].bias, [0.25], atol=1e-4)


def test_early_stopping_keeps_the_best_weights(rng):
    X, y = make_blobs(rng)
    noise = rng.integers(0, 3, 40)
    model, copies = small_model(), []
    history = snn.train(
        model,
        X[:40],
        noise,
        epochs=300,
        learning_rate=0.02,
        validation_data=(X[40:], y[40:]),
        early_stopping=3,
        callbacks=[lambda trainer, row: copies.append(arrays_of(model))],
    )
    best = int(np.argmin(history.val_loss))
    assert history.best_epoch == best
    assert len(history.val_loss) == best + 1 + 3 < 300
    assert_same_bits(arrays_of(model), copies[best])


def test_a_validation_split_is_held_out(rng):
    X, y = make_blobs(rng)
    X[0] = 3e4  # gives itself away wherever it is evaluated
    outlier_seen = []
    for seed in range(8):
        history = snn.train(small_model(), X, y, epochs=1, validation_split=0.5, seed=seed, optimizer="sgd")
        outlier_seen.append((history.loss[0] > 100, history.val_loss[0] > 100))
    assert any(validation for _, validation in outlier_seen)
    assert any(training for training, _ in outlier_seen)


def test_callbacks_see_each_epoch_and_may_change_or_end_it(rng):
    X, y = make_blobs(rng)
    rows = []

    def watch(trainer, row):
        rows.append(row)
        trainer.learning_rate = 0.5 * trainer.learning_rate
        return row["epoch"] == 2

    history = snn.train(small_model(), X, y, epochs=10, learning_rate=0.01, callbacks=[watch])
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert history.learning_rate == [0.01, 0.005, 0.0025]
    assert [row["loss"] for row in rows] == history.loss


def test_progress_leaves_stdout_alone(rng, capsys):
    X, y = make_blobs(rng)
    snn.train(small_model(), X, y, epochs=2, progress=True)
    assert capsys.readouterr().out == ""


def test_degenerate_shapes_train(rng):
    X = rng.standard_normal((5, 3), dtype=np.float32)
    y = X[:, 0] * 2
    one_neuron = snn.Model([snn.Linear(np.ones((1, 3), np.float32))])
    empty = snn.Model([snn.Linear(scipy.sparse.csr_array((4, 3), dtype=np.float32), np.ones(4)), snn.ReLU()])
    model = snn.Model([*empty.layers, snn.Linear(scipy.sparse.csr_array((1, 4), dtype=np.float32), [0.0])])
    for candidate in (one_neuron, model):
        history = snn.train(candidate, X, y, epochs=30, batch_size=1, learning_rate=0.01, threads=1)
        assert history.loss[-1] < history.loss[0]
    assert model.nnz == 0


def test_numbers_of_any_real_type_are_taken(rng):
    X = rng.integers(0, 2, (20, 4))
    y = np.arange(20) % 3
    models = [small_model() for _ in range(4)]
    for model, kind in zip(models, (np.float32, np.float64, np.int8, bool), strict=True):
        snn.train(model, X.astype(kind), y.astype(np.uint8), epochs=1)
        assert_same_bits(arrays_of(models[0]), arrays_of(model))
    snn.train(small_model(), X.tolist(), y.tolist(), epochs=1)
    snn.train(small_model(), np.asfortranarray(X), y, epochs=1)


@pytest.mark.parametrize("sparse", [False, True])
def test_diverged_training_leaves_the_model_as_it_was(rng, sparse):
    X, y = make_blobs(rng)
    model = small_model(sparse=sparse)
    before = arrays_of(model)
    with pytest.raises(snn.DivergedError, match="must (be|stay) finite.*try a learning_rate below 1e\\+30"):
        snn.train(model, X, y, epochs=5, optimizer="sgd", learning_rate=1e30)
    assert_same_bits(arrays_of(model), before)
    assert issubclass(snn.DivergedError, snn.SparsennError)


def test_an_interrupt_keeps_the_best_weights(rng):
    X, y = make_blobs(rng)
    model, copies, losses = small_model(), [], []

    def interrupt(trainer, row):
        copies.append(arrays_of(model))
        losses.append(row["val_loss"])
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        snn.train(
            model, X, y, validation_split=0.3, early_stopping=5, learning_rate=0.3, callbacks=[interrupt]
        )
    assert_same_bits(arrays_of(model), copies[int(np.argmin(losses))])


def test_a_replaced_weight_is_noticed(rng):
    X, y = make_blobs(rng)
    for sparse in (False, True):
        model = small_model(sparse=sparse)
        trainer = snn.Trainer(model)
        trainer.step(X, y)
        model.layers[2].weight = model.layers[2].weight.copy()
        with pytest.raises(RuntimeError, match=r"model.layers\[2\] was given another weight or bias"):
            trainer.step(X, y)


X_GOOD = np.zeros((6, 4), np.float32)
Y_GOOD = np.array([0, 1, 2, 0, 1, 2])


def with_value(array, value):
    array = array.astype(np.float64)
    array.flat[5] = value
    return array


BAD_CALLS = [
    ({"X": with_value(X_GOOD, np.nan)}, ValueError, r"X must be finite, got nan at \[1, 1\]"),
    ({"X": with_value(X_GOOD, -np.inf)}, ValueError, r"X must be finite, got -inf at \[1, 1\]"),
    ({"X": with_value(X_GOOD, 1e200)}, ValueError, r"X as float32 must be finite, got inf at \[1, 1\]"),
    ({"X": X_GOOD[:, :3]}, ValueError, r"X must have shape \(n, 4\), got \(6, 3\)"),
    ({"X": X_GOOD[0]}, ValueError, r"X must have shape \(n, 4\), got \(4,\)"),
    ({"X": X_GOOD[:0], "y": Y_GOOD[:0]}, ValueError, r"X must hold at least one sample, got shape \(0, 4\)"),
    ({"X": X_GOOD.astype(complex)}, TypeError, "X must be an array of real numbers, got dtype complex128"),
    ({"X": X_GOOD.astype(str)}, TypeError, "X must be an array of real numbers, got dtype <U"),
    ({"X": None}, TypeError, "X must be an array of real numbers, got dtype object"),
    ({"X": scipy.sparse.csr_array(X_GOOD)}, TypeError, "X must be a dense array, got a scipy sparse"),
    ({"y": with_value(Y_GOOD, np.nan)}, ValueError, r"y must be finite, got nan at \[5\]"),
    ({"y": Y_GOOD + 1}, ValueError, r"y must hold labels in \[0, 3\), got 3"),
    ({"y": Y_GOOD - 1}, ValueError, r"y must hold labels in \[0, 3\), got -1"),
    ({"y": Y_GOOD[:5]}, ValueError, r"y must hold as many samples as X \(6\), got 5"),
    ({"y": X_GOOD}, ValueError, r"y must have shape \(n, 3\) for mse, got \(6, 4\)"),
    ({"epochs": -1}, ValueError, "epochs must be at least 0, got -1"),
    ({"epochs": 1.5}, TypeError, "epochs must be an integer, got float"),
    ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
    ({"batch_size": True}, TypeError, "batch_size must be an integer, got bool"),
    ({"optimizer": "adagrad"}, ValueError, "optimizer must be one of adam, .*sgd, got 'adagrad'"),
    ({"optimizer": 3}, TypeError, "optimizer must be a name or an Optimizer, got int"),
    ({"learning_rate": 0}, ValueError, r"learning_rate must be in \(0, inf\), got 0"),
    ({"learning_rate": np.nan}, ValueError, r"learning_rate must be in \(0, inf\), got nan"),
    ({"learning_rate": "fast"}, TypeError, "learning_rate must be a number, got str"),
    ({"loss": "hinge"}, ValueError, "loss must be one of auto, .*, mse, got 'hinge'"),
    ({"loss": "mse"}, ValueError, r"y must have shape \(n, 3\) for mse, got \(6,\)"),
    ({"validation_split": 1.0}, ValueError, r"validation_split must be in \[0, 1\), got 1"),
    (
        {"validation_split": 0.01},
        ValueError,
        "validation_split must leave samples on both sides, got 0.01 of 6",
    ),
    ({"validation_split": 0.5, "validation_data": (X_GOOD, Y_GOOD)}, ValueError, "must not both be given"),
    ({"validation_data": X_GOOD}, TypeError, r"validation_data must be a pair \(X, y\), got ndarray"),
    (
        {"validation_data": (X_GOOD[:, :2], Y_GOOD)},
        ValueError,
        r"validation_data\[0\] must have shape \(n, 4\)",
    ),
    (
        {"validation_data": (X_GOOD, Y_GOOD * 9)},
        ValueError,
        r"validation_data\[1\] must hold labels in \[0, 3\)",
    ),
    ({"early_stopping": 2}, ValueError, "early_stopping needs validation_split or validation_data"),
    ({"early_stopping": 0, "validation_split": 0.5}, ValueError, "early_stopping must be at least 1, got 0"),
    ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
    ({"seed": "a"}, TypeError, "seed must be an integer, got str"),
    ({"shuffle": 1}, TypeError, "shuffle must be True or False, got int"),
    ({"progress": "yes"}, TypeError, "progress must be True or False, got str"),
    ({"l2": -1.0}, ValueError, r"l2 must be in \[0, inf\), got -1"),
    ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
    ({"callbacks": print}, TypeError, "callbacks must be functions, got builtin_function_or_method"),
    ({"callbacks": [3]}, TypeError, "callbacks must be functions, got int"),
]


@pytest.mark.parametrize(("changed", "error", "message"), BAD_CALLS)
@pytest.mark.parametrize("sparse", [False, True])
def test_bad_input_says_what_is_wrong_and_changes_nothing(sparse, changed, error, message):
    model = small_model(sparse=sparse)
    before = arrays_of(model)
    arguments = {"X": X_GOOD, "y": Y_GOOD, "epochs": 1, **changed}
    with pytest.raises(error, match=message):
        snn.train(model, arguments.pop("X"), arguments.pop("y"), **arguments)
    assert_same_bits(arrays_of(model), before)


def test_bad_batches_and_models():
    trainer = snn.Trainer(small_model())
    with pytest.raises(ValueError, match=r"xb must have shape \(n, 4\), got \(6, 2\)"):
        trainer.step(X_GOOD[:, :2], Y_GOOD)
    with pytest.raises(ValueError, match=r"yb must hold as many samples as xb \(6\), got 2"):
        trainer.step(X_GOOD, Y_GOOD[:2])
    with pytest.raises(ValueError, match="learning_rate must be in"):
        trainer.learning_rate = -1
    assert trainer.step_count == 0
    with pytest.raises(TypeError, match="model must be a Model, got str"):
        snn.Trainer("model.safetensors")
    shared = snn.Linear(np.eye(3, dtype=np.float32))
    with pytest.raises(ValueError, match="model must not hold one Linear object twice"):
        snn.Trainer(snn.Model([shared, shared]))
