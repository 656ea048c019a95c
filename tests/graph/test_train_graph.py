"""Training on graphs: gradients against finite differences and torch, runs, checkpoints, what is refused."""

import pickle

import numpy as np
import pytest
from graphs import functions, linear, perceptron, residual, shared
from test_checkpoint_bad import rewrite, set_in

import sparsenn as snn
from sparsenn.datasets import digits
from sparsenn.reference import reference_with_bound


def gates(*, sparsity=0.0) -> snn.Model:
    """Two inputs of several dims; every layer that moves or pairs values, operands that stand twice."""
    a, b = snn.Input((2, 3), name="a"), snn.Input((5,), name="b")
    flat = snn.Flatten()(snn.Mul()(snn.Transpose((2, 1))(a), np.linspace(0.5, 2, 6).reshape(3, 2)))
    left = snn.Sigmoid()(linear(8, 6, 1, sparsity=sparsity)(flat))
    right = linear(8, 5, 2, bias=False, sparsity=sparsity)(b)
    gated = snn.Mul()(left, snn.Tanh()(right))
    square = snn.Softmax()(snn.Reshape((2, 4))(snn.Mul()(gated, gated)))
    first, second = snn.Split((3, 5))(snn.Flatten()(square))
    spread = snn.Add()(snn.Reshape((3, 1))(first), snn.Reshape((1, 5))(second))
    both = snn.Concat()(snn.Flatten()(spread), right, snn.Slice(axis=1, start=1, step=3)(left))
    y = snn.SiLU()(linear(3, 26, 3, sparsity=sparsity)(both))
    return snn.Model(inputs=[a, b], outputs=snn.Add()(y, linear(3, 3, 4)(y)))


def make_targets(model, batch, rng):
    """A target for each output, whole numbers where a Softmax gives it; and the losses' names."""
    targets, losses = {}, {}
    for value in model.output_values:
        classes = isinstance(value.producer.layer, snn.Softmax)
        width = value.dims[1]
        targets[value.name] = (
            rng.integers(0, width, batch) if classes else rng.standard_normal((batch, width))
        )
        losses[value.name] = "cross_entropy" if classes else "mse"
    return targets, losses


def make_inputs(model, batch, rng):
    return {
        value.name: rng.standard_normal((batch, *value.dims[1:])).astype(np.float32)
        for value in model.input_values
    }


def only(arrays):
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays


def loss64(model, inputs, targets) -> float:
    """The sum of the losses, by the plain forward pass in float64."""
    given = snn.reference(model, only(inputs))
    given = given if isinstance(given, dict) else {model.output_values[0].name: given}
    total = 0.0
    for name, target in targets.items():
        y = given[name]
        if target.ndim == 1:
            total -= np.log(y[np.arange(len(y)), target]).mean()
        else:
            total += ((y - target) ** 2).mean()
    return total


def in_float64(model) -> snn.Model:
    """The model with weights that hold float64 values, past the checks that make them float32."""
    model = model.copy()
    for layer in model.linear_layers:
        layer._weight = layer._weight.astype(np.float64)
        layer._bias = None if layer._bias is None else layer._bias.astype(np.float64)
    return model


def finite_differences(model, inputs, targets) -> list[np.ndarray]:
    exact, slopes, h = in_float64(model), [], 1e-5
    for layer in exact.linear_layers:
        for array in (layer._weight.data if layer.sparse else layer._weight, layer._bias):
            if array is None:
                continue
            slope = np.empty_like(array)
            for place in np.ndindex(array.shape):
                middle = array[place]
                array[place] = middle + h
                above = loss64(exact, inputs, targets)
                array[place] = middle - h
                slope[place] = (above - loss64(exact, inputs, targets)) / (2 * h)
                array[place] = middle
            slopes.append(slope)
    return slopes


def gradients(model, inputs, targets, losses, *, threads=1) -> list[np.ndarray]:
    trainer = snn.Trainer(model.copy(), optimizer="sgd", learning_rate=1e-30, loss=losses, threads=threads)
    trainer.step(only(inputs), only(targets))
    return [parameter.gradient for parameter in trainer.network.parameters]


@pytest.mark.parametrize("batch", (3, 70))
@pytest.mark.parametrize("sparsity", (0.0, 0.6))
@pytest.mark.parametrize("make", (perceptron, gates))
def test_gradients_are_the_finite_differences(make, sparsity, batch, rng):
    model = make(sparsity=sparsity) if make is gates else make(width=5, sparsity=sparsity, blocks=2)
    inputs = make_inputs(model, batch, rng)
    targets, losses = make_targets(model, batch, rng)
    losses = losses if len(losses) > 1 else next(iter(losses.values()))
    wanted = finite_differences(model, inputs, targets)
    for threads in (1, 3):
        got = gradients(model, inputs, targets, losses, threads=threads)
        for slope, exact in zip(got, wanted, strict=True):
            assert abs(exact).max() > 1e-3
            np.testing.assert_allclose(slope, exact, atol=3e-5 * max(1, abs(exact).max()), rtol=1e-3)


@pytest.mark.parametrize("batch", (3, 70))
def test_gradients_of_functions_and_pairs(batch, rng):
    model = functions().model
    inputs = make_inputs(model, batch, rng)
    targets, losses = make_targets(model, batch, rng)
    got = gradients(model, inputs, targets, losses, threads=2)
    for slope, exact in zip(got, finite_differences(model, inputs, targets), strict=True):
        assert abs(exact).max() > 1e-3
        np.testing.assert_allclose(slope, exact, atol=3e-5 * max(1, abs(exact).max()), rtol=1e-3)


def test_a_value_that_several_read_sums_what_comes_back(rng):
    """y = h + h * h + h[:, ::-1 as a concat of slices], h sparse with a fused activation."""
    x = snn.Input((7,), name="x")
    h = snn.Tanh()(linear(4, 7, 5, sparsity=0.5)(x))
    turned = snn.Concat()(snn.Slice(axis=1, start=2)(h), snn.Slice(axis=1, end=2)(h))
    summed = snn.Add()(snn.Add()(h, snn.Mul()(h, h)), turned)
    model = snn.Model(inputs=x, outputs={"y": linear(3, 4, 6, sparsity=0.3)(summed), "h": h})
    inputs = make_inputs(model, 40, rng)
    targets, losses = make_targets(model, 40, rng)
    got = gradients(model, inputs, targets, losses)
    for slope, exact in zip(got, finite_differences(model, inputs, targets), strict=True):
        np.testing.assert_allclose(slope, exact, atol=3e-5, rtol=1e-3)


def test_gradients_are_those_of_torch(rng):
    torch = pytest.importorskip("torch")
    model = perceptron()
    inputs = make_inputs(model, 50, rng)
    targets, losses = make_targets(model, 50, rng)
    got = gradients(model, inputs, targets, losses)
    x = torch.from_numpy(inputs["x"].astype(np.float64))
    weights = [
        torch.tensor(np.asarray(array, np.float64), requires_grad=True)
        for layer in model.linear_layers
        for array in (layer.weight, layer.bias)
    ]
    pairs = iter(zip(weights[::2], weights[1::2], strict=True))

    def affine(h):
        weight, bias = next(pairs)
        return h @ weight.T + bias

    h, middle = torch.relu(affine(x)), None
    for block in range(4):
        h = affine(torch.nn.functional.gelu(affine(h))) + h
        middle = h if block == 1 else middle
    joined = torch.cat([h, middle], dim=1)
    loss = torch.nn.functional.cross_entropy(affine(joined), torch.from_numpy(targets["classes"]))
    loss = loss + ((torch.tanh(affine(joined)) - torch.from_numpy(targets["again"])) ** 2).mean()
    loss.backward()
    for slope, weight in zip(got, weights, strict=True):
        exact = weight.grad.numpy()
        np.testing.assert_allclose(slope, exact, atol=2e-6 * max(1, abs(exact).max()), rtol=1e-4)


def bits(model) -> list[bytes]:
    return [
        array.tobytes()
        for layer in model.linear_layers
        for array in (layer.weight.data if layer.sparse else layer.weight, layer.bias)
        if array is not None
    ]


def test_training_has_the_same_bits_for_any_number_of_threads(rng):
    trained = []
    for threads in (1, 2, 3, 4):
        model = perceptron(sparsity=0.6)
        inputs = make_inputs(model, 90, np.random.default_rng(1))
        targets, losses = make_targets(model, 90, np.random.default_rng(2))
        snn.train(model, inputs["x"], targets, loss=losses, epochs=3, batch_size=40, threads=threads)
        trained.append(bits(model))
    assert all(other == trained[0] for other in trained[1:])


def test_a_chain_built_as_a_graph_trains_like_the_chain(rng):
    chain = snn.mlp([6, 16, 16, 3], sparsity=0.5, activation="gelu", seed=1)
    x = snn.Input((6,))
    h = x
    for layer in chain.copy().layers:
        h = layer(h)
    graph = snn.Model(inputs=x, outputs={"y": h, "same": snn.Mul()(h, np.zeros(3))})
    X, y = rng.standard_normal((60, 6)), rng.integers(0, 3, 60)
    targets = {"y": y, "same": np.zeros((60, 3))}
    snn.train(chain, X, y, epochs=2)
    snn.train(graph, X, targets, loss={"y": "cross_entropy", "same": "mse"}, epochs=2)
    assert bits(chain) == bits(graph)


def residual_classifier(hidden=64, sparsity=0.0) -> snn.Model:
    chain = snn.mlp([64, hidden, hidden, 10], seed=3, sparsity=sparsity)
    first, second, last = chain.linear_layers
    x = snn.Input((64,), name="pixels")
    h = snn.ReLU()(first(x))
    h = snn.Add()(snn.ReLU()(second(h)), h)
    return snn.Model(inputs=x, outputs={"digit": last(h)})


def test_a_residual_perceptron_is_trained_pruned_and_trained_again(tmp_path):
    X_train, y_train, X_test, y_test = digits()
    model = residual_classifier()
    history = snn.train(model, X_train, y_train, epochs=25, seed=0, validation_split=0.1, early_stopping=6)
    assert history.accuracy[-1] > 0.97
    assert history.best_epoch is not None
    sparse = snn.prune(model, sparsity=0.8)
    before = (sparse.predict(X_test).argmax(axis=1) == y_test).mean()
    snn.train(sparse, X_train, y_train, epochs=15, seed=0, regrow=snn.Regrow(fraction=0.1))
    accuracy = (sparse.predict(X_test).argmax(axis=1) == y_test).mean()
    assert accuracy > max(0.9, before)
    assert sparse.nnz == snn.prune(model, sparsity=0.8).nnz
    again, rows = snn.prune_iteratively(
        model, X_train, y_train, sparsity=0.9, steps=2, epochs_per_step=2, criterion="taylor"
    )
    assert rows[-1]["sparsity"] == pytest.approx(0.9, abs=0.01)
    snn.save(again, tmp_path / "digits.safetensors")
    plan = snn.compile(snn.load(tmp_path / "digits.safetensors"), cache=False, tune="off")
    y, bound = reference_with_bound(again, X_test)
    assert (abs(plan.run(X_test) - y) <= bound).all()


RUN = {"epochs": 4, "batch_size": 16, "seed": 3, "validation_split": 0.2, "early_stopping": 9}


@pytest.mark.parametrize("sparsity", (0.0, 0.6))
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, sparsity, rng):
    path, model = tmp_path / "run.npz", perceptron(sparsity=sparsity)
    X = make_inputs(model, 60, rng)["x"]
    targets, losses = make_targets(model, 60, rng)
    options = {**RUN, "loss": losses, "regrow": snn.Regrow(fraction=0.2) if sparsity else None}
    whole, stopped = model.copy(), model.copy()
    history = snn.train(whole, X, targets, **options)
    snn.train(stopped, X, targets, **options, checkpoint=path, callbacks=[lambda _, row: row["epoch"] == 1])
    resumed = model.copy()
    assert snn.train(resumed, X, targets, **options, checkpoint=path, resume=True).loss == history.loss
    assert bits(resumed) == bits(whole)


def test_a_trainer_is_saved_loaded_and_pickled(tmp_path, rng):
    model = perceptron(sparsity=0.6)
    X = make_inputs(model, 30, rng)["x"]
    targets, losses = make_targets(model, 30, rng)
    trainer = snn.Trainer(model, loss=losses, weight_drop=0.1)
    trainer.step(X, targets)
    trainer.save(tmp_path / "trainer.npz")
    others = [snn.Trainer.load(tmp_path / "trainer.npz"), pickle.loads(pickle.dumps(trainer))]
    wanted = [trainer.step(X, targets) for _ in range(3)]
    for other in others:
        assert [other.step(X, targets) for _ in range(3)] == wanted
        assert bits(other.model) == bits(model)


def test_a_checkpoint_of_another_graph_is_refused(tmp_path, rng):
    model, path = residual().model, tmp_path / "run.npz"
    X = rng.standard_normal((20, 8))
    snn.train(model, X, X, epochs=1, checkpoint=path)
    x = snn.Input((8,), name="x")
    first, second = (layer for layer in model.copy().linear_layers)
    h = second(snn.ReLU()(first(x)))
    other = snn.Model(inputs=x, outputs={"y": snn.Add()(h, h)})
    before = bits(other)
    with pytest.raises(ValueError, match="model must have the layers of the checkpoint"):
        snn.train(other, X, X, epochs=2, checkpoint=path, resume=True)
    assert bits(other) == before


@pytest.mark.parametrize("shape", [[], [8], [8, 2**40], "88", None])
def test_an_altered_checkpoint_of_a_graph_is_refused(tmp_path, rng, shape):
    model, path = residual().model, tmp_path / "run.npz"
    X = rng.standard_normal((20, 8))
    snn.train(model, X, X, epochs=1, checkpoint=path)
    rewrite(path, set_in("layers", 0, "shape", value=shape))
    before = bits(model)
    with pytest.raises(snn.FormatError, match="checkpoint"):
        snn.train(model, X, X, epochs=2, checkpoint=path, resume=True)
    assert bits(model) == before


def test_weights_and_evaluation_of_several_outputs(rng):
    model = perceptron()
    X = make_inputs(model, 20, rng)["x"]
    targets, losses = make_targets(model, 20, rng)
    trainer = snn.Trainer(model, loss=losses)
    loss, accuracy = trainer.evaluate(X, targets)
    y = snn.reference(model, X)
    right = y["classes"].argmax(axis=1) == targets["classes"]
    assert accuracy == pytest.approx(right.mean())
    assert loss == pytest.approx(loss64(model, {"x": X}, targets), rel=1e-5)
    once = np.zeros(20)
    once[:7] = 2
    weighted, _ = trainer.evaluate(X, targets, once)
    part = {name: target[:7] for name, target in targets.items()}
    assert weighted == pytest.approx(loss64(model, {"x": X[:7]}, part), rel=1e-5)


def test_auto_losses_are_found_by_output(rng):
    model = perceptron()
    X = make_inputs(model, 20, rng)["x"]
    targets, losses = make_targets(model, 20, rng)
    automatic, named = (snn.Trainer(model.copy(), loss=loss) for loss in ("auto", losses))
    assert automatic.step(X, targets) == named.step(X, targets)


def test_what_cannot_be_trained_is_refused(rng):
    x = snn.Input((4,), name="x")
    free, square = snn.Input((None,), name="free"), snn.Input((2, 2, 2))
    layer = linear(3, 4, 1)
    refused = [
        (shared().model, snn.ArgumentError, "must not hold one Linear object twice"),
        (snn.Model(inputs=x, outputs=snn.ReLU()(x)), snn.ArgumentError, "at least one Linear"),
        (
            snn.Model(inputs=[x, free], outputs=[layer(x), snn.ReLU()(free)]),
            snn.UnsupportedError,
            "fixed dims behind the batch",
        ),
        (
            snn.Model(inputs=[x, square], outputs=[layer(x), snn.ReLU()(square)]),
            snn.UnsupportedError,
            r"outputs of \(batch, features\)",
        ),
    ]
    for model, error, words in refused:
        with pytest.raises(error, match=words):
            snn.Trainer(model)


def test_bad_input_is_named(rng):
    model = gates()
    inputs = make_inputs(model, 6, rng)
    y = rng.standard_normal((6, 3))
    trainer = snn.Trainer(model)
    before = bits(model)
    wrong = [
        (inputs["a"], y, r"xb must be a dict with one for each of the inputs \['a', 'b'\], got ndarray"),
        ({"a": inputs["a"]}, y, r"xb must be a dict .* got \['a'\]"),
        ({**inputs, "a": inputs["a"][:, :1]}, y, r"xb\['a'\] must have shape \(n, 2, 3\), got \(6, 1, 3\)"),
        (
            {**inputs, "b": inputs["b"][:4]},
            y,
            r"xb\['b'\] must hold as many samples as xb\['a'\] \(6\), got 4",
        ),
        ({**inputs, "b": np.full((6, 5), np.nan)}, y, r"xb\['b'\] must be finite"),
        (inputs, y[:5], r"yb must hold as many samples as xb\['a'\] \(6\), got 5"),
        (inputs, {"y": y}, "yb must"),
    ]
    for xb, yb, words in wrong:
        with pytest.raises((ValueError, TypeError), match=words):
            trainer.step(xb, yb)
    two = perceptron()
    for loss, words in (({"classes": "mse"}, "loss must name each of the outputs"), ("hinge", "one of auto")):
        with pytest.raises(ValueError, match=words):
            snn.Trainer(two, loss=loss)
    with pytest.raises(ValueError, match=r"y must be a dict with one for each of the outputs"):
        snn.train(two, rng.standard_normal((5, 6)), np.zeros(5))
    assert bits(model) == before
