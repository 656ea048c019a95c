"""Checkpoints: a resumed run equals an uninterrupted one bit for bit; bad files are refused."""

import json
import zipfile

import numpy as np
import pytest
from op_cases import POINTWISE

import sparsenn as snn

OPTIONS = {
    "batch_size": 16,
    "validation_split": 0.25,
    "early_stopping": 30,
    "learning_rate": snn.Cosine(0.02, epochs=8, warmup=2),
    "weight_drop": 0.1,
    "l1": 1e-3,
    "seed": 4,
}


def make(rng, sparsity=0.6):
    X = rng.standard_normal((100, 6), dtype=np.float32)
    return snn.mlp([6, 20, 3], sparsity=sparsity, seed=1), X, (X[:, 0] > 0) + (X[:, 1] > 0).astype(int)


def arrays_of(model):
    arrays = []
    for layer in model.linear_layers:
        weight = layer.weight
        arrays += [weight.data, weight.indices, weight.indptr] if layer.sparse else [weight]
        arrays.append(layer.bias)
    return arrays


def assert_same(first, second):
    for a, b in zip(first, second, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


class Cut(Exception):
    """An interruption."""


@pytest.mark.parametrize("regrow", [None, snn.Regrow(fraction=0.3, until=7)])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "nesterov", "rmsprop", "sgd"])
def test_a_resumed_run_is_the_uninterrupted_one(rng, tmp_path, optimizer, regrow):
    model, X, y = make(rng)
    options = {**OPTIONS, "optimizer": optimizer, "regrow": regrow}
    whole, parts = model.copy(), model.copy()
    wanted = snn.train(whole, X, y, epochs=8, **options)

    def cut(trainer, row):
        if row["epoch"] == 4:
            raise Cut

    path = tmp_path / "run.npz"
    with pytest.raises(Cut):
        snn.train(parts, X, y, epochs=8, checkpoint=path, callbacks=[cut], **options)
    fresh = model.copy()  # a new process would have no other
    got = snn.train(fresh, X, y, epochs=8, checkpoint=path, resume=True, **options)
    assert_same(arrays_of(fresh), arrays_of(whole))
    drop = "seconds"
    assert {**got.to_dict(), drop: 0} == {**wanted.to_dict(), drop: 0}
    if regrow:
        assert (fresh.linear_layers[0].weight.indices != model.linear_layers[0].weight.indices).any()


@pytest.mark.parametrize("sparsity", [0.0, 0.6])
def test_a_loaded_trainer_goes_on_as_the_saved_one(rng, tmp_path, sparsity):
    model, X, y = make(rng, sparsity)
    trainer = snn.Trainer(model, weight_drop=0.2, clip_norm=1.0, seed=3, weight_range=(-2, 2))
    for _ in range(5):
        trainer.step(X, y)
    trainer.save(tmp_path / "trainer.npz")
    loaded = snn.Trainer.load(tmp_path / "trainer.npz")
    assert loaded.model is not model and loaded.step_count == 5
    for _ in range(5):
        assert loaded.step(X, y) == trainer.step(X, y)
    assert_same(arrays_of(loaded.model), arrays_of(model))


def test_every_kind_of_layer_and_loss_comes_back(rng, tmp_path):
    layers = [snn.Linear(np.eye(3)), snn.Linear(np.ones((3, 3)), [1, 2, 3])]
    layers += [layer for cases in POINTWISE.values() for layer in cases.layers]
    loss = snn.losses.CrossEntropy(class_weights=[1.0, 2.0, 4.0])
    trainer = snn.Trainer(snn.Model(layers), loss=loss)
    X, y = rng.standard_normal((9, 3)), np.arange(9) % 3
    trainer.step(X, y)
    trainer.save(tmp_path / "t.npz")
    loaded = snn.Trainer.load(tmp_path / "t.npz")
    assert repr(loaded.model) == repr(trainer.model)
    assert loaded.step(X, y) == trainer.step(X, y)


def test_no_pickle_is_in_the_file(rng, tmp_path):
    model, _, _ = make(rng)
    snn.Trainer(model).save(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz", allow_pickle=False) as archive:
        assert json.loads(archive["document"].tobytes())["version"] == 1
        assert all(archive[name].dtype.kind in "fiu" for name in archive.files)


def test_a_save_that_fails_leaves_the_old_file(rng, tmp_path, monkeypatch):
    model, X, y = make(rng)
    trainer = snn.Trainer(model)
    path = tmp_path / "t.npz"
    trainer.save(path)
    before = path.read_bytes()
    trainer.step(X, y)

    def fail(handle):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        trainer.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["t.npz"]


def test_bad_files(rng, tmp_path):
    model, X, y = make(rng)
    path = tmp_path / "t.npz"
    with pytest.raises(FileNotFoundError):
        snn.Trainer.load(path)
    snn.Trainer(model).save(path)
    whole = path.read_bytes()
    for content in (b"", b"PK", whole[:200], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(snn.FormatError, match="is not a checkpoint"):
            snn.Trainer.load(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(snn.FormatError, match="is not a checkpoint"):
        snn.Trainer.load(path)
    document = json.dumps({"format": "sparsenn-checkpoint", "version": 2}).encode()
    np.savez(path, document=np.frombuffer(document, np.uint8))
    with pytest.raises(snn.VersionError, match="version 1, got 2"):
        snn.Trainer.load(path)
    path.write_bytes(whole)
    thin = tmp_path / "thin.npz"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(thin, "w") as target:
        for name in source.namelist():
            if name != "0.weight.indices.npy":
                target.writestr(name, source.read(name))
    with pytest.raises(snn.FormatError, match="checkpoint's model is incomplete"):
        snn.Trainer.load(thin)
    with pytest.raises(ValueError, match="model must have the layers of the checkpoint"):
        snn.train(snn.mlp([6, 4, 3]), X, y, checkpoint=path, resume=True)


def test_resume_needs_a_checkpoint(rng, tmp_path):
    model, X, y = make(rng)
    with pytest.raises(ValueError, match="resume needs checkpoint"):
        snn.train(model, X, y, resume=True)
    path = tmp_path / "new.npz"
    history = snn.train(model, X, y, epochs=2, checkpoint=path, resume=True)  # nothing there yet
    assert len(history.loss) == 2 and path.exists()
