"""Training of convolutional networks: gradients against differences and torch, regrowth, checkpoints."""

import numpy as np
import pytest
import scipy.sparse
from conv_networks import conv, model_of
from test_train_graph import bits, finite_differences, gradients

import sparsenn as snn


def small(x, *, sparsity=0.0):
    """Every layer of an image: a stride, groups, padding that differs, two pools, a residual connection."""
    h = snn.Tanh()(conv(6, 2, 3, 3, padding=(1, 1, 0, 2), sparsity=sparsity)(x))
    h = snn.AvgPool2d(2, 1, 1, count_include_pad=False)(h)
    h = snn.SiLU()(conv(4, 3, 2, 3, seed=1, stride=(1, 2), groups=2, bias=False)(h))
    h = snn.Add()(conv(4, 4, 1, 1, seed=2, sparsity=sparsity)(h), h)
    h = snn.Concat(axis=1)(h, snn.Mul()(h, np.linspace(-1, 1, 4).reshape(4, 1, 1)))
    h = snn.Flatten()(snn.MaxPool2d((2, 1), 1)(h))
    weight = np.random.default_rng(3).standard_normal((3, h.dims[1]), dtype=np.float32) / 4
    return snn.Linear(weight, np.ones(3))(h)


@pytest.mark.parametrize("sparsity", (0.0, 0.6))
def test_gradients_are_the_finite_differences(sparsity, rng):
    model = model_of((2, 4, 5), lambda x: small(x, sparsity=sparsity))
    inputs = {"x": rng.standard_normal((5, 2, 4, 5)).astype(np.float32)}
    targets = {"y": rng.standard_normal((5, 3))}
    got = gradients(model, inputs, targets, "mse", threads=3)
    for slope, exact in zip(got, finite_differences(model, inputs, targets), strict=True):
        assert abs(exact).max() > 1e-3
        np.testing.assert_allclose(slope, exact, atol=3e-5 * max(1, abs(exact).max()), rtol=1e-3)


def random_convolution(rng):
    """A Conv2d, the dims of what it reads, and its weight as torch takes it with the groups."""
    groups = int(rng.integers(1, 4)) if rng.random() < 0.4 else 1
    inputs, outputs = (groups * int(rng.integers(1, 1 + 24 // groups)) for _ in range(2))
    if rng.random() < 0.15:
        inputs = 70  # enough of them that windows are read in place
    inputs -= inputs % groups
    while True:
        kernel = [int(n) for n in rng.integers(1, 5, 2)]
        stride, dilation = (tuple(int(n) for n in rng.integers(1, 4, 2)) for _ in range(2))
        padding = tuple(int(n) for n in rng.integers(0, 4, 4))
        height, width = (int(n) for n in rng.integers(1, 10, 2))
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        if height + padding[0] + padding[2] >= reach[0] and width + padding[1] + padding[3] >= reach[1]:
            break
    sparsity = rng.choice((0.0, 0.5, 0.9))
    shape = outputs, inputs // groups, *kernel
    weight = rng.standard_normal(shape).astype(np.float32) * (rng.random(shape) >= sparsity)
    bias = rng.standard_normal(outputs).astype(np.float32) if rng.random() < 0.7 else None
    layer = snn.Conv2d(weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
    if sparsity:
        layer = layer.with_weight(scipy.sparse.csr_array(layer.weight), bias)
    return layer, (inputs, height, width), weight, groups


def at_stored(layer, gradient: np.ndarray, groups: int) -> np.ndarray:
    """torch's gradient (out, in / groups, kh, kw) where the layer has weights."""
    outputs, inputs = gradient.shape[0] // groups, gradient.shape[1]
    whole = np.zeros((gradient.shape[0], layer.channels, *gradient.shape[2:]))
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        whole[rows, group * inputs : (group + 1) * inputs] = gradient[rows]
    whole = whole.reshape(layer.shape)
    if not layer.sparse:
        return whole
    at = layer.weight.tocoo()
    return whole[at.row, at.col]


ACTIVATIONS = {None: None, "relu": snn.ReLU(), "tanh": snn.Tanh(), "gelu": snn.GELU()}


@pytest.mark.parametrize("seed", range(120))
def test_gradients_are_those_of_torch_with_the_same_bits_for_any_threads(seed):
    """A 1 x 1 convolution in front, so that the gradient of the input is needed."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    rng = np.random.default_rng(seed)
    layer, dims, weight, groups = random_convolution(rng)
    first = conv(dims[0], 2, 1, 1, seed=seed)
    name = list(ACTIVATIONS)[seed % 4]
    activation, function = ACTIVATIONS[name], (lambda v: v) if name is None else None
    function = function or (functional.gelu if name == "gelu" else getattr(torch, name))

    def build(x):
        for one in (first, layer):
            x = one(x) if activation is None else activation(one(x))
        return snn.Flatten()(x)

    model = model_of((2, *dims[1:]), build)
    X = rng.standard_normal((int(rng.integers(1, 40)), 2, *dims[1:])).astype(np.float32)
    tensors = [
        None if array is None else torch.tensor(np.asarray(array, np.float64), requires_grad=True)
        for array in (first.dense_kernel, first.bias, weight, layer.bias)
    ]
    h = function(functional.conv2d(torch.tensor(X.astype(np.float64)), *tensors[:2]))
    top, left, bottom, right = layer.window.padding
    h = functional.pad(h, (left, right, top, bottom))
    h = functional.conv2d(h, *tensors[2:], layer.window.stride, 0, layer.window.dilation, groups)
    h = function(h).flatten(1)
    Y = rng.standard_normal(tuple(h.shape))
    functional.mse_loss(h, torch.tensor(Y)).backward()
    wanted = [tensors[0].grad.numpy().reshape(first.shape), tensors[1].grad.numpy()]
    wanted.append(at_stored(layer, tensors[2].grad.numpy(), groups))
    if layer.bias is not None:
        wanted.append(tensors[3].grad.numpy())
    got = gradients(model, {"x": X}, {"y": Y}, "mse", threads=1)
    # float32, sums that may cancel; test_train_conv.c has the bounds of each sum
    largest = max(abs(exact).max(initial=1e-3) for exact in wanted)
    for slope, exact in zip(got, wanted, strict=True):
        assert abs(slope - exact).max(initial=0) <= 2e-5 * largest
    for threads in (2, 3 + seed % 6):
        other = gradients(model, {"x": X}, {"y": Y}, "mse", threads=threads)
        assert [a.tobytes() for a in other] == [a.tobytes() for a in got]


def branching(x):
    """Sums whose gradients several values share: of one value twice, of a sum and of what it reads, alone and
    before activations that need their input, their output or nothing."""
    h = snn.Tanh()(conv(4, 2, 3, 3, padding=1)(x))
    twice = snn.SiLU()(snn.Add()(h, h))
    left = snn.ReLU()(conv(4, 4, 1, 1, seed=1)(twice))
    h = snn.Add()(snn.Add()(left, twice), h)
    both = snn.Add()(snn.ELU()(h), snn.BatchNorm(np.linspace(0.5, 1, 4))(h))
    h = snn.Sigmoid()(snn.Add()(both, snn.Tanh()(snn.BatchNorm(np.ones(4))(conv(4, 4, 1, 1, seed=2)(both)))))
    h = snn.Flatten()(snn.Add()(h, left))
    weight = np.random.default_rng(3).standard_normal((3, h.dims[1]), dtype=np.float32) / 4
    return snn.Linear(weight, np.ones(3))(h)


@pytest.mark.parametrize("batch", (5, 35))
def test_sums_share_gradients_and_spoil_none(batch, rng):
    torch = pytest.importorskip("torch")
    model = model_of((2, 3, 2), branching)
    inputs = {"x": rng.standard_normal((batch, 2, 3, 2)).astype(np.float32)}
    targets = {"y": rng.standard_normal((batch, 3))}
    got = gradients(model, inputs, targets, "mse", threads=1)
    module = snn.to_torch(model).double().train()
    x, y = (torch.tensor(array.astype(np.float64)) for array in (inputs["x"], targets["y"]))
    ((module(x) - y) ** 2).mean().backward()
    for slope, parameter in zip(got, module.parameters(), strict=True):
        exact = parameter.grad.numpy().reshape(slope.shape)
        assert abs(slope - exact).max() <= 1e-4 * max(abs(exact).max(), 1e-2)
    for threads in (2, 3):
        other = gradients(model, inputs, targets, "mse", threads=threads)
        assert [a.tobytes() for a in other] == [a.tobytes() for a in got]


def random_network(rng, x):
    """Convolutions, activations, pools and residual connections as they come, then a Linear."""
    h = x
    for _ in range(int(rng.integers(1, 5))):
        channels, height, width = h.dims[1:]
        kind = rng.integers(4)
        if kind == 0 and min(height, width) > 1:
            pool = snn.MaxPool2d if rng.random() < 0.5 else snn.AvgPool2d
            h = pool(2, int(rng.integers(1, 3)))(h)
            continue
        outputs = channels if kind == 1 else int(rng.integers(1, 9))
        size = int(rng.choice((1, 3)))
        sparsity = float(rng.choice((0.0, 0.6)))
        layer = conv(
            outputs, channels, size, size, seed=int(rng.integers(99)), padding=size // 2, sparsity=sparsity
        )
        made = (snn.ReLU(), snn.Tanh(), snn.SiLU())[rng.integers(3)](layer(h))
        h = snn.Add()(made, h) if kind == 1 else made
    h = snn.Flatten()(h)
    weight = rng.standard_normal((4, h.dims[1])) / h.dims[1] ** 0.5
    return snn.Linear(weight, np.zeros(4))(h)


@pytest.mark.parametrize("seed", range(30))
def test_random_networks_have_the_gradients_of_torch(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1000 + seed)
    dims = tuple(int(n) for n in (rng.integers(1, 4), *rng.integers(3, 9, 2)))
    model = model_of(dims, lambda x: random_network(rng, x))
    X = rng.standard_normal((9, *dims)).astype(np.float32)
    y = rng.integers(0, 4, 9)
    module = snn.to_torch(model).double()
    torch.nn.functional.cross_entropy(module(torch.tensor(X).double()), torch.tensor(y)).backward()
    got = gradients(model, {"x": X}, {"y": y}, "cross_entropy", threads=2)
    wanted = [parameter.grad.numpy() for parameter in module.parameters()]
    layers = [layer for layer in model.linear_layers for _ in range(2)]  # weight and bias
    for slope, exact, layer in zip(got, wanted, layers, strict=True):
        if exact.ndim > 1:
            exact = exact.reshape(layer.shape)
            exact = exact[layer.weight.tocoo().coords] if layer.sparse else exact
        assert abs(slope - exact).max() <= 1e-4 * max(abs(exact).max(), 1e-2)


@pytest.fixture
def images(rng):
    """120 images of one of three sizes of a bright square, and which."""
    y = rng.integers(0, 3, 120)
    X = rng.standard_normal((120, 1, 9, 9)).astype(np.float32) * 0.3
    for image, size in zip(X, y, strict=True):
        top, left = rng.integers(0, 6 - size, 2)
        image[0, top : top + 2 + 2 * size, left : left + 2 + 2 * size] += 1
    return X, y


def classifier() -> snn.Model:
    def build(x):
        h = snn.MaxPool2d(2)(snn.ReLU()(conv(8, 1, 3, 3, padding=1, scale=0.4)(x)))
        h = snn.ReLU()(conv(12, 8, 3, 3, seed=1, scale=0.15)(h))
        h = snn.Flatten()(snn.AvgPool2d(2)(h))
        return snn.Linear(np.random.default_rng(2).standard_normal((3, 12)) * 0.3, np.zeros(3))(h)

    return model_of((1, 9, 9), build)


def test_dense_pruned_fine_tuned_and_regrown(images, tmp_path):
    X, y = images
    model = classifier()
    snn.train(model, X, y, epochs=40, batch_size=24, learning_rate=5e-3)
    assert snn.Trainer(model).evaluate(X, y)[1] > 0.9
    sparse = snn.prune(model, sparsity=0.7)
    patterns = [layer.weight.indices.copy() for layer in sparse.linear_layers]
    snn.train(sparse, X, y, epochs=20, batch_size=24, learning_rate=5e-3)
    for layer, indices in zip(sparse.linear_layers, patterns, strict=True):
        np.testing.assert_array_equal(layer.weight.indices, indices)
    assert snn.Trainer(sparse).evaluate(X, y)[1] > 0.9
    nnz = [layer.nnz for layer in sparse.linear_layers]
    history = snn.train(sparse, X, y, epochs=8, batch_size=24, learning_rate=5e-3, regrow=snn.Regrow())
    assert [layer.nnz for layer in sparse.linear_layers] == nnz
    assert any(
        not np.array_equal(layer.weight.indices, indices)
        for layer, indices in zip(sparse.linear_layers, patterns, strict=True)
    )
    assert history.loss[-1] < 0.5
    snn.save(sparse, tmp_path / "images.safetensors")
    plan = snn.compile(snn.load(tmp_path / "images.safetensors"), cache=False, tune="off")
    np.testing.assert_allclose(plan.run(X), snn.reference(sparse, X), atol=1e-4)


def test_regrowth_takes_the_steepest_missing_weights(rng):
    """Against the gradient of the same model with every weight stored."""
    model = model_of((2, 5, 6), lambda x: small(x, sparsity=0.6))
    X, Y = rng.standard_normal((40, 2, 5, 6)).astype(np.float32), None
    Y = rng.standard_normal((40, model.outputs))
    full = model.with_layers(
        lambda layer: (
            layer.with_weight(layer.weight.toarray(), layer.bias)
            if isinstance(layer, snn.Conv2d) and layer.sparse
            else layer.copy()
        )
    )
    dense = snn.Trainer(full, optimizer="sgd", learning_rate=1e-30)
    dense.step(X, Y)
    gradients_of = {step.index: step.weight_parameter.gradient for step in dense.network.linear_steps}
    trainer = snn.Trainer(model, optimizer="sgd")
    before = [layer.weight.copy() for layer in model.linear_layers]
    snn.regrow(trainer, X, Y, fraction=0.5)
    changed = 0
    for step, old in zip(trainer.network.linear_steps, before, strict=True):
        if not step.layer.sparse:
            continue
        gradient = gradients_of[step.index]
        was, now = old.toarray() != 0, np.zeros(step.layer.shape, bool)
        now[step.layer.weight.tocoo().coords] = True
        came, left_out = now & ~was, ~now & ~was
        changed += came.sum()
        if came.any() and left_out.any():
            assert abs(gradient[came]).min() >= abs(gradient[left_out]).max() * (1 - 1e-4)
    assert changed


@pytest.mark.parametrize("sparsity", (0.0, 0.6))
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, images, sparsity):
    (X, y), path = images, tmp_path / "run.npz"
    model = classifier()
    model = snn.prune(model, sparsity=sparsity) if sparsity else model
    options = {"epochs": 3, "batch_size": 40, "seed": 3, "regrow": snn.Regrow() if sparsity else None}
    whole, stopped, resumed = model.copy(), model.copy(), model.copy()
    history = snn.train(whole, X, y, **options)
    snn.train(stopped, X, y, **options, checkpoint=path, callbacks=[lambda _, row: row["epoch"] == 1])
    assert snn.train(resumed, X, y, **options, checkpoint=path, resume=True).loss == history.loss
    assert bits(resumed) == bits(whole)


def test_a_checkpoint_of_another_window_is_refused(tmp_path, images):
    (X, y), path = images, tmp_path / "run.npz"

    def make(padding):
        return model_of(
            (1, 9, 9),
            lambda x: snn.Flatten()(snn.AvgPool2d((8, 9))(conv(3, 1, 2, 1, padding=padding)(x))),
        )

    snn.train(make((0, 0, 0, 0)), X, y, epochs=1, checkpoint=path)
    other = make((1, 0, 0, 0))
    with pytest.raises(snn.ArgumentError, match="model must have the layers of the checkpoint"):
        snn.train(other, X, y, epochs=2, checkpoint=path, resume=True)


def test_what_cannot_be_trained_is_refused():
    layer = conv(2, 2, 3, 3, padding=1)
    twice = model_of((2, 4, 4), lambda x: snn.Flatten()(layer(layer(x))))
    with pytest.raises(snn.ArgumentError, match="must not hold one Conv2d object twice"):
        snn.Trainer(twice)
    image = model_of((2, 4, 4), layer)
    with pytest.raises(snn.UnsupportedError, match=r"outputs of \(batch, features\)"):
        snn.Trainer(image)


def test_the_core_refuses_what_is_no_convolution():
    window = snn.Conv2d(np.ones((1, 2, 2, 2))).window.numbers
    starts, columns = np.array([0, 1]), np.array([0], np.int32)
    with pytest.raises(snn.ArgumentError, match="weight columns"):
        snn._core.Convolution(starts, columns, (1, 9), (2, 3, 3), window)
    with pytest.raises(snn.ArgumentError, match="fits into its height"):
        snn._core.Convolution(starts, columns, (1, 8), (2, 1, 3), window)
    conv2d = snn._core.Convolution(starts, columns, (1, 8), (2, 3, 4), window, threads=2)
    assert conv2d.out_size == (2, 3) and conv2d.threads == 2
    samples = snn._core.tile_samples()
    x, y = np.zeros((1, 24, samples), np.float32), np.zeros((1, 6, samples), np.float32)
    with pytest.raises(snn.ArgumentError, match="y must have a stride"):
        conv2d.forward_tiles(None, x, None, None, y)


@pytest.mark.parametrize("batch", [1, 5])
def test_a_convolution_with_no_activation_behind_it_trains(batch):
    rng = np.random.default_rng(0)
    x = snn.Input((3, 6, 6))
    h = snn.Flatten()(snn.AvgPool2d(6)(snn.Conv2d(rng.standard_normal((4, 3, 3, 3)), padding=1)(x)))
    model = snn.Model(inputs=x, outputs=snn.Linear(rng.standard_normal((2, 4)))(h))
    before = model.linear_layers[0].weight.copy()
    data = rng.standard_normal((batch, 3, 6, 6), dtype=np.float32)
    snn.train(model, data, np.arange(batch) % 2, epochs=1)
    assert (model.linear_layers[0].weight != before).any()
