"""Back-propagation against float64 finite differences, and sparse layers against masked dense ones."""

import numpy as np
import pytest
import scipy.sparse
from gradient_oracle import LAYERS, finite_differences, gradient_bounds, kink_distance

import sparsenn as snn

SIZES = (5, 7, 4, 3)
BATCH = 6


def make_network(rng, names, *, sizes=SIZES, sparsity=0.0, bias=True):
    """Random float32-valued layers in float64, and their masks; a sparse network's first row is empty."""
    network, masks = [], []
    for inputs, outputs, name in zip(sizes[:-1], sizes[1:], names, strict=True):
        mask = rng.random((outputs, inputs)) >= sparsity
        if sparsity:
            mask[0] = False
        weight = rng.standard_normal((outputs, inputs), dtype=np.float32) * mask
        offset = rng.standard_normal(outputs, dtype=np.float32).astype(np.float64) if bias else None
        network.append((weight.astype(np.float64), offset, name))
        masks.append(mask)
    return network, masks


def to_model(network, masks=None):
    """The network as a Model: dense, or CSR with the patterns of masks."""
    layers = []
    for index, (weight, bias, name) in enumerate(network):
        stored = weight if masks is None else csr_of(weight, masks[index])
        layers.append(snn.Linear(stored, bias))
        if name != "none":
            layers.append(LAYERS[name])
    return snn.Model(layers)


def csr_of(weight, mask):
    """CSR with exactly the pattern of mask."""
    indptr = np.concatenate(([0], np.cumsum(mask.sum(axis=1))))
    values = weight[mask].astype(np.float32)
    return scipy.sparse.csr_array((values, np.nonzero(mask)[1], indptr), shape=weight.shape)


def make_targets(rng, loss, batch, outputs):
    """Labels for cross_entropy, reals for mse."""
    if loss == "cross_entropy":
        return rng.integers(0, outputs, batch)
    if loss == "binary_cross_entropy":
        return rng.random((batch, outputs), dtype=np.float32).astype(np.float64)
    return rng.standard_normal((batch, outputs), dtype=np.float32).astype(np.float64)


def gradients_of(model, x, targets, loss, **options):
    """The gradients of one step by name ("0.weight", "0.bias", ...)."""
    trainer = snn.Trainer(model, optimizer="sgd", learning_rate=1e-6, loss=loss, **options)
    trainer.step(x, targets)
    return [parameter.gradient.astype(np.float64) for parameter in trainer.network.parameters]


def check_network(network, masks, x, targets, loss, model):
    gradients = iter(gradients_of(model, x, targets, loss))
    bounds = gradient_bounds(network, x, loss, targets)
    for (weight, bias, _), mask, (weight_bound, bias_bound) in zip(network, masks, bounds, strict=True):
        pairs = [(next(gradients), finite_differences(network, x, targets, loss, weight), weight_bound)]
        if bias is not None:
            pairs.append((next(gradients), finite_differences(network, x, targets, loss, bias), bias_bound))
        if pairs[0][0].ndim == 1:
            pairs[0] = (pairs[0][0], pairs[0][1][mask], weight_bound[mask])
        for got, wanted, bound in pairs:
            assert np.all(np.abs(got - wanted) <= bound + 1e-8)


@pytest.mark.parametrize("sparsity", [None, 0.4])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "huber", "binary_cross_entropy"])
@pytest.mark.parametrize("name", list(LAYERS))
def test_gradients_agree_with_finite_differences(rng, name, loss, sparsity):
    network, masks = make_network(rng, (name, name, "none"), sparsity=sparsity or 0.0)
    x = rng.standard_normal((BATCH, SIZES[0]), dtype=np.float32).astype(np.float64)
    assert kink_distance(network, x) > 1e-3, "choose another seed: finite differences would cross a kink"
    targets = make_targets(rng, loss, BATCH, SIZES[-1])
    model = to_model(network, None if sparsity is None else masks)
    check_network(network, masks, x, targets, loss, model)


@pytest.mark.parametrize("last", ["tanh", "sigmoid", "softmax"])
def test_gradients_through_an_activation_at_the_end(rng, last):
    network, masks = make_network(rng, ("tanh", "gelu", last), bias=False)
    x = rng.standard_normal((BATCH, SIZES[0]), dtype=np.float32).astype(np.float64)
    check_network(network, masks, x, make_targets(rng, "mse", BATCH, SIZES[-1]), "mse", to_model(network))


def test_the_bounds_would_notice_a_wrong_gradient(rng):
    network, _ = make_network(rng, ("tanh", "tanh", "none"))
    x = rng.standard_normal((BATCH, SIZES[0]), dtype=np.float32).astype(np.float64)
    targets = make_targets(rng, "mse", BATCH, SIZES[-1])
    for (weight, bias, _), bounds in zip(network, gradient_bounds(network, x, "mse", targets), strict=True):
        for array, bound in zip((weight, bias), bounds, strict=True):
            wanted = finite_differences(network, x, targets, "mse", array)
            assert bound.max() < 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize("batch", [1, 2, 17])
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (17, 1, 5), (1, 17, 2), (64, 65, 3), (31, 16, 33)])
def test_a_sparse_gradient_is_the_masked_dense_one(rng, sizes, sparsity, batch):
    network, masks = make_network(rng, ("tanh", "none"), sizes=sizes, sparsity=sparsity)
    x = rng.standard_normal((batch, sizes[0]), dtype=np.float32).astype(np.float64)
    targets = make_targets(rng, "mse", batch, sizes[-1])
    dense = gradients_of(to_model(network), x, targets, "mse")
    sparse = gradients_of(to_model(network, masks), x, targets, "mse")
    bounds = gradient_bounds(network, x, "mse", targets)
    for layer, (mask, (weight_bound, bias_bound)) in enumerate(zip(masks, bounds, strict=True)):
        weight, bias = 2 * layer, 2 * layer + 1
        assert sparse[weight].shape == (mask.sum(),)
        assert np.all(np.abs(sparse[weight] - dense[weight][mask]) <= 2 * weight_bound[mask])
        assert np.all(np.abs(sparse[bias] - dense[bias]) <= 2 * bias_bound)


@pytest.mark.parametrize("small", [0, 2**16])
def test_a_dense_layer_beside_a_sparse_one_through_blas_and_through_the_kernels(rng, monkeypatch, small):
    monkeypatch.setattr("sparsenn.training.maker._SMALL", small)
    network, masks = make_network(rng, ("tanh", "tanh", "none"), sparsity=0.4)
    masks[0][:], masks[2][:] = True, True
    model = to_model(network, masks)
    for index in (0, 2):
        model.linear_layers[index].weight = network[index][0]
    trainer = snn.Trainer(model)
    assert [type(step).__name__ for step in trainer.network.linear_steps] == (
        ["KernelStep"] * 3 if small else ["BlasStep", "KernelStep", "BlasStep"]
    )
    x = rng.standard_normal((BATCH, SIZES[0]), dtype=np.float32).astype(np.float64)
    targets = make_targets(rng, "cross_entropy", BATCH, SIZES[-1])
    check_network(network, masks, x, targets, "cross_entropy", model)


def test_l2_adds_its_strength_times_the_weights_but_not_the_biases(rng):
    network, masks = make_network(rng, ("tanh", "tanh", "none"), sparsity=0.4)
    x = rng.standard_normal((BATCH, SIZES[0]), dtype=np.float32)
    targets = make_targets(rng, "cross_entropy", BATCH, SIZES[-1])
    for patterns in (None, masks):
        models = [to_model(network, patterns) for _ in range(2)]
        for model, l2 in zip(models, (0.0, 0.25), strict=True):
            snn.Trainer(model, optimizer="sgd", learning_rate=0.5, l2=l2).step(x, targets)
        for index, layers in enumerate(zip(*(model.linear_layers for model in models), strict=True)):
            plain, shrunk = (layer.weight.data if patterns else layer.weight for layer in layers)
            before = network[index][0] if patterns is None else network[index][0][masks[index]]
            wanted = np.asarray(plain, np.float64) - 0.5 * 0.25 * before
            np.testing.assert_allclose(
                shrunk, wanted, rtol=0, atol=4 * 2**-23 * np.abs(before).max(initial=1)
            )
            np.testing.assert_array_equal(layers[1].bias, layers[0].bias)
