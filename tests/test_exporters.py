"""Exporters: every one round-trips with the same bits, and the other framework agrees with the plan."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from networks import assert_near, assert_same_weights, dense, random_model

import sparsenn as snn
from sparsenn.reference import reference_with_bound

SEEDS = range(25)


def other_near(model: snn.Model, x: np.ndarray, other: np.ndarray) -> None:
    """What another framework gives is as near to the plan as float32 allows: both within the bound."""
    _, bound = reference_with_bound(model, x)
    # 8 eps of the largest value of tanh, sigmoid and softmax: frameworks approximate them.
    slack = 16 * np.finfo(np.float32).eps
    assert_near(model, x, other, own_bound=2 * bound + slack)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sparse", [False, True])
def test_onnx(tmp_path, seed, sparse):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    model = random_model(np.random.default_rng(seed))
    path = tmp_path / "model.onnx"
    proto = snn.to_onnx(model, path, sparse=sparse)
    assert path.read_bytes() == proto.SerializeToString()
    onnx.checker.check_model(proto, full_check=True)
    assert_same_weights(snn.from_onnx(path), model)
    constants = [node for node in proto.graph.node if node.op_type == "Constant"]
    assert len(constants) == (sum(layer.sparse for layer in model.linear_layers) if sparse else 0)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sparse", [False, True])
def test_onnx_runtime_agrees(seed, sparse):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    from test_import_onnx import run_elsewhere

    model = random_model(np.random.default_rng(seed))
    x = np.random.default_rng(seed).standard_normal((5, model.inputs), dtype=np.float32)
    other_near(model, x, run_elsewhere(snn.to_onnx(model, sparse=sparse), x))


def test_sparse_onnx_is_smaller_and_keeps_the_pattern(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    model = snn.prune(snn.mlp([100, 200, 10]), sparsity=0.95)
    dense_size, sparse_size = (len(snn.to_onnx(model, sparse=s).SerializeToString()) for s in (False, True))
    assert sparse_size < 0.3 * dense_size
    again = snn.from_onnx(snn.to_onnx(model, sparse=True))
    for before, after in zip(model.linear_layers, again.linear_layers, strict=True):
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(before.weight, part), getattr(after.weight, part))


def test_onnx_leaves_nothing_behind(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")
    with pytest.raises(FileNotFoundError):
        snn.to_onnx(snn.mlp([2, 2]), tmp_path / "none" / "m.onnx")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        snn.to_onnx(snn.mlp([2, 2]), tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sparse", [False, True])
def test_torch(seed, sparse):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
    model = random_model(np.random.default_rng(seed))
    module = snn.to_torch(model, sparse=sparse)
    assert not module.training
    # A scale of its own goes into the weights of the layer before.
    if all(layer == snn.HardSigmoid() for layer in model.layers if isinstance(layer, snn.HardSigmoid)):
        assert_same_weights(snn.from_torch(module), model)
    x = np.random.default_rng(seed).standard_normal((5, model.inputs), dtype=np.float32)
    with torch.no_grad():
        other_near(model, x, module(torch.from_numpy(x)).numpy())


@pytest.mark.parametrize("seed", SEEDS)
def test_scipy(seed):
    model = random_model(np.random.default_rng(seed))
    for (weight, bias), layer in zip(snn.to_scipy(model), model.linear_layers, strict=True):
        assert isinstance(weight, scipy.sparse.csr_array) and weight.dtype == np.float32
        np.testing.assert_array_equal(weight.toarray(), dense(layer))
        assert (bias is None) == (layer.bias is None)
        if bias is not None:
            np.testing.assert_array_equal(bias, layer.bias)
            assert not np.shares_memory(bias, layer.bias)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", None])
@pytest.mark.parametrize(
    ("outputs", "output"), [(4, "softmax"), (1, "sigmoid"), (3, "sigmoid"), (1, None), (3, None)]
)
def test_sklearn(activation, outputs, output):
    pytest.importorskip(
        "sklearn", reason="scikit-learn is not installed: pip install 'sparsenn-cpu[sklearn]'"
    )
    layers = snn.mlp([7, 9, 8, outputs], activation=activation or "relu", output=output, seed=3).layers
    if activation is None:
        layers = [layer for layer in layers if isinstance(layer, snn.Linear) or layer is layers[-1]]
    model = snn.prune(snn.Model(layers), sparsity=0.5)
    estimator = snn.to_sklearn(model)
    assert_same_weights(snn.from_sklearn(estimator), model)
    x = np.random.default_rng(0).standard_normal((6, 7), dtype=np.float32)
    if output is None:
        other = estimator.predict(x).reshape(6, outputs)
    else:
        other = estimator.predict_proba(x)
        estimator.predict(x)
        other = other[:, 1:] if (outputs, output) == (1, "sigmoid") else other
    other_near(model, x, other)


def test_sklearn_goes_on_learning():
    pytest.importorskip(
        "sklearn", reason="scikit-learn is not installed: pip install 'sparsenn-cpu[sklearn]'"
    )
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 3)).astype(np.float32)
    labels = np.array(["low", "middle", "top"])[x.argmax(axis=1)]
    model = snn.mlp([3, 16, 3], output="softmax", seed=0)
    estimator = snn.to_sklearn(model, classes=["low", "middle", "top"])
    before = estimator.score(x, labels)
    for _ in range(200):
        estimator.partial_fit(x, labels)
    assert estimator.score(x, labels) > max(before, 0.8)


def test_what_sklearn_has_no_place_for():
    pytest.importorskip(
        "sklearn", reason="scikit-learn is not installed: pip install 'sparsenn-cpu[sklearn]'"
    )
    for model, message in (
        (snn.mlp([3, 4, 2], activation="gelu"), "must have one hidden activation, .* got GELU"),
        (snn.mlp([3, 4, 2], output="relu"), "must end in Softmax, Sigmoid or a Linear, got ReLU"),
        (snn.Model([snn.ReLU(), *snn.mlp([3, 2]).layers]), "at most one activation after each Linear"),
        (snn.mlp([3, 4, 2], output="softmax"), "at least 3 outputs, got 2"),
    ):
        with pytest.raises(snn.UnsupportedError, match=message):
            snn.to_sklearn(model)
    with pytest.raises(ValueError, match="classes must be 3 different labels in rising order"):
        snn.to_sklearn(snn.mlp([3, 3], output="softmax"), classes=[2, 1, 0])
    with pytest.raises(ValueError, match="classes must not be given for a regressor"):
        snn.to_sklearn(snn.mlp([3, 3]), classes=[0, 1, 2])


def test_no_model():
    for exporter in (snn.to_scipy, snn.to_onnx, snn.to_torch, snn.to_sklearn):
        with pytest.raises(
            (TypeError, snn.MissingPackageError), match="model must be a sparsenn.Model|needs the package"
        ):
            exporter("model")
