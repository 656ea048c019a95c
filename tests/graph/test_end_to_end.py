"""The whole way of a residual perceptron: trained, pruned, fine-tuned, saved, run in C, exported."""

import subprocess
import sys

import numpy as np
import pytest
from graphs import perceptron

import sparsenn as snn
from sparsenn.reference import reference_with_bound

LOSSES = {"classes": "cross_entropy", "again": "mse"}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    centres = 2 * rng.standard_normal((4, 6))
    labels = rng.integers(0, 4, 400)
    X = (centres[labels] + 0.4 * rng.standard_normal((400, 6))).astype(np.float32) / 4
    return X, {"classes": labels, "again": X}


@pytest.fixture(scope="module")
def trained(data):
    model = perceptron(width=24)
    snn.train(model, *data, loss=LOSSES, epochs=30, seed=1)
    return model


@pytest.fixture(scope="module")
def sparse(trained, data):
    """Pruned and fine-tuned."""
    model = snn.prune(trained, sparsity=0.8)
    before = snn.Trainer(model.copy(), loss=LOSSES).evaluate(*data)
    snn.train(model, *data, loss=LOSSES, epochs=20, seed=1)
    after = snn.Trainer(model.copy(), loss=LOSSES).evaluate(*data)
    assert model.sparsity == pytest.approx(0.8, abs=0.01)
    assert after[0] < before[0] and after[1] > 0.95
    return model


def assert_within_bound(got: dict, model, X):
    exact, bound = reference_with_bound(model, X)
    for name, y in exact.items():
        assert (abs(got[name] - y) <= bound[name]).all(), name


def test_the_dense_one_has_learnt(trained, data):
    assert snn.Trainer(trained.copy(), loss=LOSSES).evaluate(*data)[1] > 0.97


@pytest.mark.parametrize("threads", (1, 2, 3))
def test_plans_and_files(sparse, data, tmp_path, threads):
    X, _ = data
    plan = snn.compile(sparse, threads=threads, cache=False)
    whole = plan.run(X)
    assert_within_bound(whole, sparse, X)
    snn.save(sparse, tmp_path / "model.safetensors")
    again = snn.compile(snn.load(tmp_path / "model.safetensors"), threads=1, tune="off", cache=False)
    for name, y in again.run(X).items():
        assert y.tobytes() == whole[name].tobytes()
    parts = [plan.run(X[first : first + 7]) for first in range(0, len(X), 7)]
    for name in whole:
        assert np.concatenate([part[name] for part in parts]).tobytes() == whole[name].tobytes()


def test_a_c_program_gives_the_same_bits(sparse, data, tmp_path):
    c_tools = pytest.importorskip("c_tools")
    source = c_tools.CORE / "examples" / "embed_graph.c"
    if not source.exists():
        pytest.skip(f"NOT TESTED: the C sources are not beside the tests, at {source}")
    X = data[0][:20]
    snn.save(sparse, tmp_path / "model.safetensors")
    X.tofile(tmp_path / "x.f32")
    flags = c_tools.run(sys.executable, "-m", "sparsenn.config", "--cflags", "--libs", cwd=tmp_path).split()
    program = tmp_path / "embed_graph"
    c_tools.run(c_tools.c_compiler(), "-std=c99", "-Wall", "-Werror", source, *flags, "-o", program)
    printed = c_tools.run(program, tmp_path / "model.safetensors", "20", tmp_path / "x.f32")
    got = {words[0]: np.array(words[1:], np.float32) for words in map(str.split, printed.splitlines())}
    for name, y in snn.compile(sparse, tune="off", cache=False).run(X).items():
        assert got[name].tobytes() == y.tobytes()
    wrong = subprocess.run(
        [program, tmp_path / "model.safetensors", "21", tmp_path / "x.f32"], capture_output=True, text=True
    )
    assert wrong.returncode == 1 and "BATCH samples" in wrong.stderr


def test_onnx_runtime_agrees(sparse, data, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    snn.to_onnx(sparse, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    got = dict(zip(names, session.run(None, {"x": data[0]}), strict=True))
    assert_within_bound(got, sparse, data[0])


def test_torch_agrees(sparse, data):
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        given = snn.to_torch(sparse)(torch.from_numpy(data[0]))
    given = given if isinstance(given, dict) else dict(zip(("classes", "again"), given, strict=True))
    assert_within_bound({name: y.numpy() for name, y in given.items()}, sparse, data[0])
