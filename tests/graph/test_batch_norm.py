"""BatchNorm: what plans fold, gradients by the batch's statistics, training beside torch."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
from norm_networks import conv, network, norm, samples

import sparsenn as snn
from sparsenn.reference import reference_with_bound

EPS = float(np.finfo(np.float32).eps)


# ---- values and plans ----


@pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 3, 2)])
def test_value_is_its_definition(shape):
    layer, z = norm(4, epsilon=0.01), np.random.default_rng(0).standard_normal((*shape, 7))
    scale, shift, mean, variance = (
        array.astype(np.float64).reshape(-1, *[1] * len(shape)) for array in layer.arrays
    )
    wanted = scale * (z - mean) / np.sqrt(variance + layer.epsilon) + shift
    np.testing.assert_allclose(layer.value(z), wanted, rtol=1e-12, atol=1e-12)


def chain(*layers, dims=(4, 7, 6)) -> snn.Model:
    x = value = snn.Input(dims, name="x")
    for layer in layers:
        value = layer(value)
    return snn.Model(inputs=x, outputs=value)


def shared_product() -> snn.Model:
    """What is normalised is read beside it as well."""
    x = snn.Input((4, 7, 6), name="x")
    h = conv(4, 4, padding=1)(x)
    return snn.Model(inputs=x, outputs=snn.Add()(norm(4)(h), h))


def shared_result() -> snn.Model:
    x = snn.Input((4, 7, 6), name="x")
    h = norm(4)(snn.ReLU()(x))
    return snn.Model(inputs=x, outputs=snn.Concat()(conv(3, 4, 1)(h), h))


def zero_scale() -> snn.BatchNorm:
    layer = norm(4)
    layer.scale[1] = 0
    return layer


rng = np.random.default_rng(8)
# name -> model, the steps that its plan has
PLANS = {
    "behind a convolution": (chain(conv(5, 4, padding=1), norm(5), snn.ReLU()), 1),
    "behind a sparse one": (chain(conv(5, 4, padding=1, sparsity=0.7), norm(5)), 1),
    "behind one without a bias, twice": (chain(conv(5, 4, bias=False), norm(5), norm(5, 1)), 1),
    "before a convolution": (chain(norm(4), conv(5, 4), snn.ReLU()), 1),
    "before a sparse one with a stride": (chain(norm(4), conv(5, 4, stride=2, sparsity=0.7)), 1),
    "before padding": (chain(norm(4), conv(5, 4, padding=(0, 0, 1, 0))), 3),
    "between": (chain(conv(6, 4, padding=1), norm(6), conv(5, 6)), 2),
    "behind a pool": (chain(snn.MaxPool2d(2), norm(4), snn.Tanh()), 3),
    "before and behind": (chain(norm(4), conv(5, 4), norm(5), snn.ReLU()), 1),
    "groups": (chain(norm(4), snn.Conv2d(rng.standard_normal((4, 1, 3, 3)), groups=4), norm(4)), 1),
    "features": (chain(norm(6), snn.Linear(rng.standard_normal((5, 6))), norm(5), dims=(6,)), 1),
    "of no product": (chain(norm(4), dims=(4, 5)), 2),
    "scale 0": (chain(conv(4, 4), zero_scale(), snn.ReLU()), 3),
    "a product that others read": (shared_product(), 4),
    "a result that others read": (shared_result(), 5),
}


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("isa", snn.cpu_info()["isas_usable"])
def test_plans_fold_it(name, isa):
    model, steps = PLANS[name]
    x = np.random.default_rng(3).standard_normal((21, *model.input_values[0].dims[1:])).astype(np.float32)
    exact, bound = reference_with_bound(model, x)
    assert (bound <= 1e-3 * (1 + abs(exact).max())).all(), "a bound this loose would show nothing"
    made = []
    for threads in (1, 2, 3):
        plan = snn.compile(model, threads=threads, isa=isa, tune="off", cache=False)
        assert len(plan.report()["layers"]) == steps
        assert (abs(plan.run(x) - exact) <= bound).all()
        assert plan.explain() and len(plan.profile()) == steps
        made.append(plan.run(x).tobytes())
        made.append(pickle.loads(pickle.dumps(plan)).run(x).tobytes())
    assert len(set(made)) == 1
    assert (abs(model.predict(x) - exact) <= bound).all()


def test_a_nan_reaches_what_depends_on_it():
    for model in (PLANS[name][0] for name in ("between", "scale 0", "before a sparse one with a stride")):
        x = np.ones((3, 4, 7, 6), np.float32)
        x[1, 2, 3, 4] = np.nan
        got, wanted = snn.compile(model, tune="off", cache=False).run(x), model.predict(x)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))


# ---- gradients ----


def loss64(weights, layer: snn.BatchNorm, arrays, x, targets) -> float:
    """Of Linear, BatchNorm by the batch, Tanh and Linear, mean squared error; float64."""
    z = x @ weights[0].T
    mean, variance = z.mean(axis=0), z.var(axis=0)
    a = np.tanh(arrays[0] * (z - mean) / np.sqrt(variance + layer.epsilon) + arrays[1])
    return float(((a @ weights[1].T - targets) ** 2).mean())


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_are_finite_differences(sparse):
    rng = np.random.default_rng(4)
    weights = [rng.standard_normal((6, 4)), rng.standard_normal((3, 6))]
    layers = [snn.Linear(scipy.sparse.csr_array(w) if sparse else w) for w in weights]
    weights = [np.float32(w).astype(np.float64) for w in weights]
    layer, x, targets = norm(6), rng.standard_normal((45, 4)), rng.standard_normal((45, 3))
    x, targets = np.float32(x).astype(np.float64), np.float32(targets).astype(np.float64)
    model = chain(layers[0], layer, snn.Tanh(), layers[1], dims=(4,))
    trainer = snn.Trainer(model, optimizer="sgd", learning_rate=1e-30, loss="mse")
    arrays = [layer.scale.astype(np.float64), layer.shift.astype(np.float64)]
    loss = trainer.step(x, targets)
    assert loss == pytest.approx(loss64(weights, layer, arrays, x, targets), rel=1e-5)
    got = {parameter.name: parameter.gradient for parameter in trainer.network.parameters}
    for name, array in zip(("0.weight", "3.weight", "1.scale", "1.shift"), (*weights, *arrays), strict=True):
        slopes = np.empty_like(array)
        for index in np.ndindex(array.shape):
            middle, ends = array[index], []
            for side in (1e-6, -1e-6):
                array[index] = middle + side
                ends.append(loss64(weights, layer, arrays, x, targets))
            array[index] = middle
            slopes[index] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(got[name].reshape(slopes.shape), slopes, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (5, 4), (5, 3, 2)])
@pytest.mark.parametrize("batch", [2, 33])
def test_gradients_are_those_of_torch_with_the_same_bits_for_any_threads(shape, batch):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(batch)
    channels, features = shape[0], int(np.prod(shape))
    weight = scipy.sparse.csr_array(rng.standard_normal((features, 6)) / 3)
    x = value = snn.Input((6,), name="x")
    value = snn.GELU()(norm(channels)(snn.Reshape(shape)(snn.Linear(weight)(value))))
    model = snn.Model(inputs=x, outputs=snn.Linear(rng.standard_normal((3, features)))(snn.Flatten()(value)))
    X, y = rng.standard_normal((batch, 6)).astype(np.float32), rng.integers(0, 3, batch)
    module = snn.to_torch(model).double().train()
    torch.nn.functional.cross_entropy(module(torch.from_numpy(X).double()), torch.from_numpy(y)).backward()
    wanted = [parameter.grad.numpy() for parameter in module.parameters()]
    at = weight.tocoo()
    wanted[0] = wanted[0][at.row, at.col]
    made = []
    for threads in (1, 2, 3):
        trainer = snn.Trainer(model.copy(), optimizer="sgd", learning_rate=0.1, threads=threads)
        trainer.step(X, y)
        for parameter, slope in zip(trainer.network.parameters, wanted, strict=True):
            size = abs(slope).max()
            np.testing.assert_allclose(parameter.gradient, slope, rtol=2e-4, atol=2e-4 * max(size, 1e-3))
        arrays = [p.gradient for p in trainer.network.parameters]
        made.append(b"".join(a.tobytes() for a in (*arrays, *trainer.model.norm_layers[0].arrays)))
    assert len(set(made)) == 1


@pytest.mark.parametrize("sparsity", [0.0, 0.6])
def test_a_training_run_is_that_of_torch(sparsity):
    """Ten steps, and the running statistics behind them; Adam would scale up the noise of slopes of 0."""
    torch = pytest.importorskip("torch")
    X, y = samples(50)
    model = network(sparsity, snn.Tanh)
    module = snn.to_torch(model).double().train()
    pattern = [parameter.detach() != 0 for parameter in module.parameters()]
    trainer = snn.Trainer(model, optimizer="momentum", learning_rate=0.02)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.02, momentum=0.9)
    for batch in range(10):
        part = slice(7 * batch % 18, 7 * batch % 18 + 33)
        optimizer.zero_grad()
        made = module(torch.from_numpy(X[part]).double())
        loss = torch.nn.functional.cross_entropy(made, torch.from_numpy(y[part]))
        loss.backward()
        if sparsity:
            for parameter, kept in zip(module.parameters(), pattern, strict=True):
                if parameter.ndim == 4:
                    parameter.grad *= kept
        optimizer.step()
        assert trainer.step(X[part], y[part]) == pytest.approx(loss.item(), rel=1e-4)
    running = [buffer.numpy() for name, buffer in module.named_buffers() if "running" in name]
    own = [array for layer in model.norm_layers for array in (layer.mean, layer.variance)]
    for array, wanted in zip(own, running, strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-3, atol=1e-4)
    module.eval()
    wanted = module(torch.from_numpy(X).double()).detach().numpy()
    np.testing.assert_allclose(model.predict(X), wanted, rtol=1e-3, atol=1e-4)


# ---- training ----


def test_evaluation_goes_by_the_running_statistics_and_changes_nothing():
    X, y = samples(40)
    trainer = snn.Trainer(network())
    before = [array.copy() for layer in trainer.model.norm_layers for array in layer.arrays]
    loss, _ = trainer.evaluate(X, y)
    logits = trainer.model.predict(X).astype(np.float64)
    wanted = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(40), y])
    assert loss == pytest.approx(wanted, rel=1e-5)
    assert trainer.evaluate(X[:1], y[:1])[0] != loss
    after = [array for layer in trainer.model.norm_layers for array in layer.arrays]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


def test_a_single_value_goes_by_the_running_statistics():
    model = chain(snn.Linear(np.eye(4)), norm(4), dims=(4,))
    before = [array.copy() for array in model.norm_layers[0].arrays[2:]]
    trainer = snn.Trainer(model, loss="mse", optimizer="sgd", learning_rate=0.01)
    x = np.ones((1, 4))
    assert trainer.step(x, np.zeros((1, 4))) == pytest.approx((model.copy().predict(x) ** 2).mean(), rel=0.2)
    assert all((a == b).all() for a, b in zip(before, model.norm_layers[0].arrays[2:], strict=True))


@pytest.mark.parametrize("sparsity", [0.0, 0.7])
def test_it_learns_and_resumes_bit_for_bit(sparsity, tmp_path):
    X, y, X_test, y_test = snn.datasets.digits()
    X, X_test = (a.reshape(-1, 1, 8, 8)[:600] for a in (X, X_test))
    y, y_test = y[:600], y_test[:600]

    def make():
        x = snn.Input((1, 8, 8), name="x")
        h = snn.ReLU()(snn.BatchNorm(np.ones(12))(conv(12, 1, padding=1, bias=False)(x)))
        h = snn.MaxPool2d(2)(h)
        h = snn.ReLU()(snn.BatchNorm(np.ones(16))(conv(16, 12, padding=1, sparsity=sparsity, seed=1)(h)))
        last = snn.Linear(np.random.default_rng(2).standard_normal((10, 256)) / 16, np.zeros(10))
        return snn.Model(inputs=x, outputs=last(snn.Flatten()(h)))

    options = {"batch_size": 50, "validation_split": 0.2, "early_stopping": 3, "seed": 1}
    whole = make()
    snn.train(whole, X, y, epochs=6, **options)
    assert (whole.predict(X_test).argmax(axis=1) == y_test).mean() > 0.85
    part, path = make(), tmp_path / "run.npz"
    snn.train(part, X, y, epochs=3, checkpoint=path, **options)
    again = make()
    snn.train(again, X, y, epochs=6, checkpoint=path, resume=True, **options)
    for a, b in zip(whole.norm_layers, again.norm_layers, strict=True):
        assert all(x.tobytes() == y.tobytes() for x, y in zip(a.arrays, b.arrays, strict=True))
    for a, b in zip(whole.linear_layers, again.linear_layers, strict=True):
        parts = [(layer.weight.data if layer.sparse else layer.weight).tobytes() for layer in (a, b)]
        assert parts[0] == parts[1]
    assert whole.predict(X_test).tobytes() == again.predict(X_test).tobytes()
    trainer = snn.Trainer.load(path)
    assert trainer.model.norm_layers[0].momentum == whole.norm_layers[0].momentum
    assert pickle.loads(pickle.dumps(trainer)).step(X, y) == trainer.step(X, y)


def test_a_diverged_run_leaves_the_model_as_it_was():
    X, y = samples(40)
    model = network()
    before = [array.copy() for layer in model.norm_layers for array in layer.arrays]
    with pytest.raises(snn.DivergedError), np.errstate(all="ignore"):
        snn.train(model, X, y, epochs=30, optimizer="sgd", learning_rate=1e25)
    after = [array for layer in model.norm_layers for array in layer.arrays]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


def test_an_array_that_was_replaced_is_noticed():
    X, y = samples(8)
    trainer = snn.Trainer(network())
    trainer.model.norm_layers[0].mean = np.zeros(8, np.float32)
    with pytest.raises(RuntimeError, match="given another array after the Trainer was made"):
        trainer.step(X, y)


# ---- bad input ----


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: snn.BatchNorm([[1.0]]), r"scale must have shape \(channels,\), got \(1, 1\)"),
        (lambda: snn.BatchNorm([]), r"scale must have shape \(channels,\), got \(0,\)"),
        (lambda: snn.BatchNorm([1, 2], [1]), r"shift must have the shape \(2,\) of scale, got \(1,\)"),
        (lambda: snn.BatchNorm([1, 2], variance=[1, 2, 3]), r"variance must have the shape \(2,\)"),
        (lambda: snn.BatchNorm([1.0], epsilon=-1), r"epsilon must be in \[0, inf\), got -1"),
        (lambda: snn.BatchNorm([1.0], momentum=1.5), r"momentum must be in \[0, 1\], got 1.5"),
        (lambda: norm(3)(snn.Input((4, 2))), r"BatchNorm of 3 channels must have dims \(None, 3, ...\)"),
    ],
)
def test_what_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_one_layer_at_two_nodes_does_not_train():
    layer, x = norm(4), snn.Input((4,))
    first, last = (snn.Linear(np.eye(4)) for _ in range(2))
    model = snn.Model(inputs=x, outputs=layer(last(layer(first(x)))))
    with pytest.raises(ValueError, match="must not hold one BatchNorm object twice"):
        snn.Trainer(model)


def test_the_widths_of_a_network_are_told():
    widths = [layer.channels for layer in network().norm_layers]
    assert widths == [8, 8, 8, 16] and all(a <= b for a, b in pairwise(widths))
