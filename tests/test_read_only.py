"""Every public call on arrays that cannot be written: memory-mapped samples, models in joblib's workers."""

from __future__ import annotations

import copy
import pickle

import joblib
import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn

CSR_PARTS = ("data", "indices", "indptr")


def fixed(values, dtype=np.float32) -> np.ndarray:
    array = np.array(values, dtype)
    array.flags.writeable = False
    return array


def arrays_of(model):
    for layer in model.linear_layers:
        parts = [getattr(layer.weight, part) for part in CSR_PARTS] if layer.sparse else [layer.weight]
        yield from [*parts, layer.bias]


def fixed_model(sparsity, **options):
    model = snn.mlp([8, 16, 3], seed=0, sparsity=sparsity, **options)
    for array in arrays_of(model):
        array.flags.writeable = False
    return model


GENERATOR = np.random.default_rng(0)
X = fixed(GENERATOR.standard_normal((60, 8)))
LABELS = fixed(GENERATOR.integers(0, 3, 60), np.int64)
REALS = fixed(GENERATOR.standard_normal((60, 3)))
BITS = fixed(REALS > 0)
TARGETS = {"cross_entropy": LABELS, "mse": REALS, "huber": REALS, "binary_cross_entropy": BITS}
STEPS = {"epochs_per_step": 1, "steps": 2, "keep": -1}
FAST = {"tune": "off", "cache": False}


def step(model, **options):
    trainer = snn.Trainer(model, **options)
    trainer.step(X, LABELS)
    return trainer.evaluate(X, LABELS)


CALLS = {
    "step": step,
    "step with every option": lambda model: step(
        model, weight_drop=0.2, l2=0.1, group_lasso=0.1, clip_norm=1, weight_range=(-1, 1)
    ),
    "validation": lambda model: snn.train(
        model, X, LABELS, epochs=3, validation_data=(X, LABELS), early_stopping=1, learning_rate=0.5
    ),
    "compile": lambda model: snn.compile(model, **FAST).run(X),
    "predict": lambda model: model.predict(X),
    "copies": lambda model: [layer.copy() for layer in model.linear_layers],
    "deepcopy": copy.deepcopy,
    "to_scipy": snn.to_scipy,
    "prune_iteratively": lambda model: snn.prune_iteratively(
        model, X, LABELS, sparsity=0.7, distill=True, **STEPS
    ),
    "prune_neurons": lambda model: snn.prune_neurons(model, X, LABELS, width=8, epochs_per_step=1),
    "drop_dead_neurons": snn.drop_dead_neurons,
    "lamp": lambda model: snn.prune(model, sparsity=0.6, normalize="lamp"),
    "criterion of the caller": lambda model: snn.prune(
        model,
        sparsity=0.6,
        criterion=lambda model, data: [
            fixed(abs(layer.weight.data if layer.sparse else layer.weight)) for layer in model.linear_layers
        ],
    ),
    "block": lambda model: snn.prune(model, sparsity=0.5, structure="block", block=(1, 2)),
    "n:m": lambda model: snn.prune(model, structure="n:m"),
    "neuron": lambda model: snn.prune(model, sparsity=0.5, structure="neuron", data=(X, LABELS)),
    "sensitivity": lambda model: snn.sensitivity(model, X, LABELS),
    "limits": lambda model: snn.Limits(weight_range=(-9, 9)).check(model),
    **{
        f"prune by {name}": lambda model, name=name: snn.prune(
            model, sparsity=0.6, criterion=name, data=(X, LABELS)
        )
        for name in snn.criteria()
        if name not in ("change", "movement")  # these look at what training recorded
    },
    **{
        f"train {loss} {optimizer}": lambda model, loss=loss, optimizer=optimizer: snn.train(
            model, X, TARGETS[loss], epochs=2, loss=loss, optimizer=optimizer, shuffle=optimizer == "adam"
        )
        for loss in snn.losses.LOSSES
        for optimizer in snn.optim.OPTIMIZERS
    },
}


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
@pytest.mark.parametrize("name", CALLS)
def test_models_and_samples_that_cannot_be_written(name, sparsity):
    model = fixed_model(sparsity)
    held = [(array, array.copy()) for array in arrays_of(model)]
    CALLS[name](model)
    for array, before in held:
        np.testing.assert_array_equal(array, before)
    for array in (X, LABELS, REALS):
        assert not array.flags.writeable


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_training_gives_what_it_gives_on_arrays_of_its_own(sparsity):
    models = [fixed_model(sparsity), snn.mlp([8, 16, 3], seed=0, sparsity=sparsity)]
    losses = [snn.train(model, X, LABELS, epochs=3).loss for model in models]
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(models[0].predict(X), models[1].predict(X))


def test_regrowth():
    snn.train(fixed_model(0.5), X, LABELS, epochs=3, regrow=snn.Regrow(fraction=0.3))


@pytest.mark.parametrize("kind", ["csr_array", "csc_array", "coo_array", "bsr_array", "csr_matrix"])
def test_products_and_layers_of_sparse_matrices(kind):
    weight = getattr(scipy.sparse, kind)(GENERATOR.standard_normal((16, 8)).astype(np.float32))
    for part in (*CSR_PARTS, "row", "col"):
        if isinstance(getattr(weight, part, None), np.ndarray):
            getattr(weight, part).flags.writeable = False
    x, dy, bias = fixed(np.ones((8, 4))), fixed(np.ones((16, 4))), fixed(np.ones(16))
    np.testing.assert_allclose(snn.ops.spmm(weight, x, bias), weight @ x + 1, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(snn.ops.spmm_transposed(weight, dy), weight.T @ dy, rtol=1e-5, atol=1e-6)
    assert snn.ops.sddmm(weight, dy, x).size == weight.nnz
    layer = snn.Linear(weight, bias)
    layer.weight, layer.bias = weight, bias
    assert all(array.flags.writeable for array in (layer.weight.data, layer.bias))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "u8", "?"])
@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_memory_mapped_samples(tmp_path, dtype, order, sparsity):
    for name, array in (("X", X * 3), ("labels", LABELS), ("reals", REALS)):
        np.save(tmp_path / name, np.asarray(abs(array) if dtype == "u8" and name == "X" else array,
                                            dtype if name == "X" else None, order=order))  # fmt: skip
    features, labels, reals = (
        np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("X", "labels", "reals")
    )
    for y in (labels, reals):
        for shuffle in (False, True):
            snn.train(snn.mlp([8, 6, 3], sparsity=sparsity), features, y, epochs=1, shuffle=shuffle)
    snn.Trainer(snn.mlp([8, 6, 3], sparsity=sparsity)).step(features, labels)
    snn.compile(snn.mlp([8, 6, 3], sparsity=sparsity), **FAST).run(features)


def train_in_worker(what, features, labels):
    """The losses of an epoch, by whatever object came, and whether a weight came as it could be written."""
    if isinstance(what, snn.Trainer):
        return what.step(features, labels)
    model = snn.Model(what) if isinstance(what, list) else what
    return snn.train(model, features, labels, epochs=1, shuffle=False, batch_size=len(labels)).loss[0]


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_joblib_maps_large_arrays_into_its_workers(sparsity):
    model = snn.mlp([8, 60, 3], seed=0, sparsity=sparsity)
    things = [model, list(model.layers), snn.Trainer(copy.deepcopy(model))]
    found = joblib.Parallel(2, max_nbytes=100)(
        joblib.delayed(train_in_worker)(thing, X, LABELS) for thing in things
    )
    expected = train_in_worker(copy.deepcopy(model), X, LABELS)
    assert found == [pytest.approx(expected)] * 3


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_a_pickled_trainer_goes_on_bit_for_bit_with_its_model(sparsity):
    trainer = snn.Trainer(snn.mlp([8, 6, 3], sparsity=sparsity), l1=0.01, weight_drop=0.1)
    trainer.step(X, LABELS)
    model, again = pickle.loads(pickle.dumps((trainer.model, trainer)))
    assert again.model is model
    assert [trainer.step(X, LABELS) for _ in range(3)] == [again.step(X, LABELS) for _ in range(3)]
    np.testing.assert_array_equal(trainer.model.predict(X), model.predict(X))


# ---- convolutions ----

IMAGES = fixed(GENERATOR.standard_normal((40, 2, 8, 8)))
CLASSES = fixed(GENERATOR.integers(0, 3, 40), np.int64)


def fixed_network(*, writable: bool = False):
    """A CSR and a dense convolution, a normalisation, a pool, a dense layer: of arrays that stay."""
    rng = np.random.default_rng(1)
    kernel = rng.standard_normal((4, 18)) * (rng.random((4, 18)) < 0.4)
    x = snn.Input((2, 8, 8), name="x")
    h = snn.Conv2d(scipy.sparse.csr_array(kernel), fixed(np.zeros(4)), kernel_size=3, padding=1)(x)
    h = snn.MaxPool2d(2)(snn.ReLU()(snn.BatchNorm(fixed(np.ones(4)), mean=fixed(np.zeros(4)))(h)))
    h = snn.Conv2d(fixed(rng.standard_normal((5, 4, 3, 3)) / 6))(h)
    model = snn.Model(inputs=x, outputs=snn.Linear(fixed(np.eye(3, 20)))(snn.Flatten()(snn.ReLU()(h))))
    if not writable:
        for array in [*arrays_of(model), *(a for layer in model.norm_layers for a in layer.arrays)]:
            if array is not None:
                array.flags.writeable = False
    return model


def test_networks_on_images_that_cannot_be_written():
    models = [fixed_network(), fixed_network(writable=True)]
    held = [(array, array.copy()) for array in arrays_of(models[0]) if array is not None]
    options = {"epochs": 2, "batch_size": 16, "seed": 0}
    losses = [snn.train(models[0], IMAGES, CLASSES, **options).loss]
    losses.append(snn.train(models[1], np.array(IMAGES), np.array(CLASSES), **options).loss)
    assert losses[0] == losses[1]
    results = [snn.compile(model, **FAST).run(IMAGES) for model in models]
    np.testing.assert_array_equal(*results)
    for array, before in held:
        np.testing.assert_array_equal(array, before)
    pruned = snn.prune(fixed_network(), sparsity=0.5, criterion="taylor", data=(IMAGES, CLASSES))
    assert snn.compile(pruned, **FAST).run(IMAGES).shape == (40, 3)
    assert not IMAGES.flags.writeable and not CLASSES.flags.writeable


def test_imports_of_arrays_that_cannot_be_written():
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    model = fixed_network()
    wanted = snn.compile(model, **FAST).run(IMAGES)
    proto = snn.to_onnx(model)
    kept = proto.SerializeToString()
    back = snn.from_onnx(onnx.load_from_string(kept))
    np.testing.assert_allclose(snn.compile(back, **FAST).run(IMAGES), wanted, rtol=0, atol=1e-5)
    snn.train(back, IMAGES, CLASSES, epochs=1)  # its arrays are its own
    assert proto.SerializeToString() == kept


def test_torch_modules_of_arrays_that_cannot_be_written():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    kernel = fixed(GENERATOR.standard_normal((4, 2, 3, 3)))
    module = torch.nn.Conv2d(2, 4, 3, bias=False).requires_grad_(False)
    with pytest.warns(UserWarning, match="not writable"):
        module.weight = torch.nn.Parameter(torch.from_numpy(kernel), requires_grad=False)
    before = kernel.copy()
    model = snn.from_torch(
        torch.nn.Sequential(module, torch.nn.BatchNorm2d(4)).eval(), torch.zeros(1, 2, 8, 8)
    )
    got = snn.compile(model, **FAST).run(IMAGES)
    wanted = module(torch.tensor(IMAGES)) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(got, wanted.numpy(), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(kernel, before)
