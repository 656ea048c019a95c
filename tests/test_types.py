"""A user's script under mypy --strict: what functions take and give is known; mistakes are found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sparsenn as snn

pytest.importorskip("mypy", reason="mypy is not installed: pip install mypy")
PACKAGE = Path(snn.__file__).parent

SCRIPT = """
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sparsenn as snn


def prune_and_run(folder: Path) -> float:
    X, y, X_test, y_test = snn.datasets.digits()
    model = snn.mlp([64, 128, 10], activation="relu", seed=0)
    history = snn.train(model, X, y, epochs=2, optimizer=snn.optim.Adam(1e-3))
    sparse = snn.prune(model, sparsity=0.9, keep=[-1])
    plan = snn.compile(sparse, threads=2, batch_sizes=(1, 64))
    snn.save(sparse, folder / "digits.safetensors")
    print(history.loss[-1], plan.explain(), plan.report()["threads"], sparse.predict(X_test).shape)
    scores = plan.run(X_test)
    return float((scores.argmax(axis=1) == y_test).mean())


def build(weight: NDArray[np.float32]) -> int:
    x = snn.Input((3, 8, 8))
    h = snn.ReLU()(snn.Conv2d(weight, padding=1)(x))
    y = snn.Add()(h, snn.Sigmoid()(h))
    model = snn.Model(inputs=x, outputs={"y": y, "h": h})
    results = snn.compile(model).run(np.zeros((1, 3, 8, 8), np.float32))
    return len(results["y"]) + len(snn.Model([snn.Linear(np.eye(4)), snn.Softmax()]).layers)


try:
    prune_and_run(Path("."))
except snn.ArgumentError as error:
    print(error, snn.cpu_info()["isas_usable"])
"""
REVEALED = {
    'snn.load("a.safetensors")': "sparsenn.model.Model",
    "snn.compile(snn.mlp([2, 3]))": "sparsenn.plan.Plan",
    "snn.prune(snn.mlp([2, 3]))": "sparsenn.model.Model",
    "snn.mlp([2, 3]).sparsity": "float",
    'snn.from_onnx("a.onnx")': "sparsenn.model.Model",
}
MISTAKES = {
    'snn.prune(snn.mlp([2, 3]), sparsity="much")': 'Argument "sparsity" to "prune"',
    "snn.compile(snn.mlp([2, 3]), thread=2)": 'Unexpected keyword argument "thread" for "compile"',
    'snn.compile("a.safetensors")': 'Argument 1 to "compile"',
    "snn.mlp([2, 3]).sparsness": '"Model" has no attribute "sparsness"',
    "snn.load(7)": 'Argument 1 to "load"',
}


def check(code: str, folder: Path) -> list[str]:
    """The lines of mypy --strict on code: of the installed package, and of nothing in it but its types."""
    (folder / "script.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", "cache"]
    silent = ["--follow-imports=silent", "--python-executable", sys.executable, "script.py"]
    # An installed package is found by its py.typed; this is for one that was built in place.
    built = {} if PACKAGE.parent.name == "site-packages" else {"MYPYPATH": str(PACKAGE.parent)}
    place = {**os.environ, **built}
    done = subprocess.run([*command, *silent], cwd=folder, env=place, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout.splitlines()


def test_a_correct_script_passes(tmp_path):
    assert check(SCRIPT, tmp_path) == []


def test_types_are_known_and_mistakes_found(tmp_path):
    """A line each: nothing is of a type that takes everything."""
    code = "import sparsenn as snn\n" + "".join(f"reveal_type({line})\n" for line in REVEALED)
    lines = check(code + "\n".join(MISTAKES) + "\n", tmp_path)
    expected = [f'Revealed type is "{name}' for name in REVEALED.values()] + list(MISTAKES.values())
    for number, words in enumerate(expected, start=2):
        assert words in "\n".join(line for line in lines if line.startswith(f"script.py:{number}:")), lines
    errors = [line for line in lines if ": error: " in line]
    assert len(errors) == len(MISTAKES), errors
