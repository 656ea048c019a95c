"""BatchNorm in models that are saved, exported, imported and pruned."""

import numpy as np
import pytest
from norm_networks import network, samples

import sparsenn as snn

# ---- files, exports, imports ----


def same_arrays(first: snn.Model, second: snn.Model, rtol=0.0) -> None:
    for a, b in zip(first.norm_layers, second.norm_layers, strict=True):
        assert (a.epsilon, a.channels) == (b.epsilon, b.channels)
        assert a.momentum == pytest.approx(b.momentum, abs=1e-6)
        for x, y in zip(a.arrays, b.arrays, strict=True):
            np.testing.assert_allclose(x, y, rtol=rtol)


def test_files_keep_it(tmp_path):
    model = network(0.6)
    snn.save(model, tmp_path / "m.safetensors")
    again = snn.load(tmp_path / "m.safetensors")
    same_arrays(model, again)
    X, _ = samples(9)
    np.testing.assert_array_equal(model.predict(X), again.predict(X))
    assert b'"format_version":"2.3"' in (tmp_path / "m.safetensors").read_bytes().replace(b" ", b"")


def test_torch_in_both_directions():
    pytest.importorskip("torch")
    model, (X, _) = network(0.6), samples(9)
    module = snn.to_torch(model)
    kept = snn.from_torch(module, X[:1], keep_batch_norm=True)
    same_arrays(model, kept)
    folded = snn.from_torch(module, X[:1])
    assert len(folded.norm_layers) == 0
    for made in (kept, folded):
        np.testing.assert_allclose(made.predict(X), model.predict(X), rtol=1e-4, atol=1e-5)
    with pytest.raises(TypeError, match="keep_batch_norm must be given with a module alone"):
        snn.from_torch(module.state_dict(), layers=["layer0"], keep_batch_norm=True)


def test_onnx_in_both_directions(tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model, (X, _) = network(0.6), samples(9)
    proto = snn.to_onnx(model, tmp_path / "m.onnx")
    assert sum(node.op_type == "BatchNormalization" for node in proto.graph.node) == 4
    got = runtime.InferenceSession(str(tmp_path / "m.onnx")).run(None, {"x": X})[0]
    np.testing.assert_allclose(got, model.predict(X), rtol=1e-4, atol=1e-5)
    same_arrays(model, snn.from_onnx(proto, keep_batch_norm=True), rtol=1e-6)
    assert not snn.from_onnx(proto).norm_layers


def test_keras_is_kept_where_it_is_asked_for():
    keras = pytest.importorskip("keras")
    layers, rng = keras.layers, np.random.default_rng(0)
    network = keras.Sequential(
        [
            keras.Input((6, 6, 2)), layers.Conv2D(4, 3), layers.BatchNormalization(momentum=0.9),
            layers.ReLU(), layers.Flatten(), layers.BatchNormalization(epsilon=0.01), layers.Dense(3),
        ]
    )  # fmt: skip
    for layer in network.layers:
        if isinstance(layer, layers.__dict__["BatchNormalization"]):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    kept = snn.from_keras(network, keep_batch_norm=True)
    assert [layer.channels for layer in kept.norm_layers] == [4, 64]
    assert kept.norm_layers[0].momentum == pytest.approx(0.1)
    X = rng.standard_normal((5, 6, 6, 2)).astype(np.float32)
    wanted = keras.ops.convert_to_numpy(network(X))
    for model in (kept, snn.from_keras(network)):
        np.testing.assert_allclose(model.predict(X), wanted, rtol=1e-4, atol=1e-5)
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization()])
    assert len(snn.from_keras(plain, keep_batch_norm=True).norm_layers) == 1


# ---- pruning ----


def test_what_is_pruned_has_arrays_of_its_own():
    X, y = samples(40)
    model = network()
    before = [array.copy() for layer in model.norm_layers for array in layer.arrays]
    sparse = snn.prune(model, sparsity=0.7)
    snn.train(sparse, X, y, epochs=2)
    after = [array for layer in model.norm_layers for array in layer.arrays]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    assert (sparse.norm_layers[0].mean != model.norm_layers[0].mean).any()


def test_channels_go_through_it():
    X, y = samples(40)
    model = network()
    for layer in (model.linear_layers[0], model.linear_layers[1]):  # channel 2 is constant, and 5 is 0
        layer.weight[[2, 5]] = 0
    alive = snn.drop_dead_neurons(model)
    assert alive.linear_layers[0].shape[0] < 8
    np.testing.assert_allclose(alive.predict(X), model.predict(X), rtol=1e-4, atol=1e-5)
    small = snn.prune(network(), sparsity=0.5, structure="channel")
    widths = [layer.channels for layer in small.norm_layers]
    assert max(widths[:3]) < 8 and len(set(widths[:3])) == 1
    snn.train(small, X, y, epochs=1)
    assert np.isfinite(small.predict(X)).all()


def test_a_rewound_model_gets_its_statistics_back():
    X, y = samples(60)
    model = network()
    first = model.copy()
    snn.train(model, X, y, epochs=2)
    found, _ = snn.prune_iteratively(
        model, X, y, sparsity=0.5, steps=1, epochs_per_step=0, rewind=first, learning_rate=1e-3
    )
    for a, b in zip(found.norm_layers, first.norm_layers, strict=True):
        np.testing.assert_array_equal(a.mean, b.mean)
