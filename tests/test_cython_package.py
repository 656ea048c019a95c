"""A Cython package that cimports sparsenn: built against the installed package, and the same results."""

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from c_tools import ROOT, c_compiler, environment, run

import sparsenn as snn

EXAMPLE = ROOT / "examples" / "cython_package"

PROGRAM = """
import numpy, sys, tally
print(*tally.count(sys.argv[1], numpy.load(sys.argv[2]), batch=7))
for bad in [lambda: tally.count("none", numpy.zeros((1, 64), "f4")),
            lambda: tally.count(sys.argv[1], numpy.zeros((1, 3), "f4"))]:
    try:
        bad()
    except (OSError, ValueError) as error:
        print(type(error).__name__)
"""


def python_headers() -> dict[str, str]:
    """CPATH for Python.h, from where make put the headers if they are not installed."""
    if Path(sysconfig.get_paths()["include"], "Python.h").exists():
        return {}
    fetched = Path(sys.prefix) / "headers" / "usr" / "include"
    folders = [str(fetched), *map(str, fetched.glob("python3*")), os.environ.get("CPATH", "")]
    if not list(fetched.glob("python3*/Python.h")):
        pytest.skip("NOT TESTED: Python.h is not installed (Debian package python3-dev)")
    return {"CPATH": os.pathsep.join(filter(None, folders))}


@pytest.mark.skipif(
    not EXAMPLE.exists(), reason=f"NOT TESTED: the example is not beside the tests, at {EXAMPLE}"
)
def test_the_example_builds_against_the_installed_package_and_counts(tmp_path):
    missing = [name for name in ("Cython", "setuptools", "pip") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"NOT TESTED: {', '.join(missing)} not installed (pip install cython setuptools)")
    c_compiler()
    shutil.copytree(EXAMPLE, tmp_path / "source")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--quiet"]
    isolated = ["--no-build-isolation", "--no-index", "--target", tmp_path / "site"]
    run(*pip, *isolated, tmp_path / "source", env=environment(**python_headers()), cwd=tmp_path)
    _, _, X_test, _ = snn.datasets.digits()
    model = snn.prune(snn.mlp([64, 100, 10], seed=3), sparsity=0.9)
    snn.save(model, tmp_path / "model.safetensors")
    np.save(tmp_path / "x.npy", np.ascontiguousarray(X_test, np.float32))
    (tmp_path / "program.py").write_text(PROGRAM)
    arguments = [tmp_path / "model.safetensors", tmp_path / "x.npy"]
    places = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    printed = run(sys.executable, tmp_path / "program.py", *arguments, env=environment(PYTHONPATH=places))
    best = snn.compile(model, tune="off", cache=False).run(X_test).argmax(axis=1)
    counts, *errors = printed.splitlines()
    assert counts.split() == [str(count) for count in np.bincount(best, minlength=10)]
    assert errors == ["OSError", "ValueError"]
