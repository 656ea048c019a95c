"""Fixtures that every test may use: a seeded generator, random CSR matrices, a cache folder of its own."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn

# What Keras computes with, whichever test imports it first.
_BACKENDS = [name for name in ("torch", "jax", "tensorflow") if importlib.util.find_spec(name)]
os.environ.setdefault("KERAS_BACKEND", _BACKENDS[0] if _BACKENDS else "numpy")


def pytest_addoption(parser):
    parser.addoption(
        "--conv-check",
        action="store_true",
        help="all the random convolutions, networks and recurrent layers of tests/graph",
    )


@pytest.fixture
def rng() -> np.random.Generator:
    """The same random numbers in every run."""
    return np.random.default_rng(20240607)


@pytest.fixture
def random_csr(rng):
    """random_csr(rows, columns, sparsity) -> csr_array float32 with about that share of zeros."""

    def make(rows: int, columns: int, sparsity: float) -> scipy.sparse.csr_array:
        dense = rng.standard_normal((rows, columns), dtype=np.float32)
        dense[rng.random((rows, columns)) < sparsity] = 0
        return scipy.sparse.csr_array(dense)

    return make


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Tuning results of the tests never mix with the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def usable_isas() -> list[str]:
    """Every kernel set that can run here."""
    import sparsenn

    return sparsenn.cpu_info()["isas_usable"]


@pytest.fixture(scope="session")
def core_builds(tmp_path_factory):
    """core_builds(name, *options) -> folder of c_tools.build_core, built once for all tests that ask."""
    from c_tools import build_core

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all processes
    return lambda name, *options: build_core(folder / "core" / name, *options)


@pytest.fixture(scope="session")
def shared_core(core_builds) -> Path:
    """A shared library with OpenMP, where the compiler has it, in build and prefix."""
    return core_builds("shared", "-DBUILD_SHARED_LIBS=ON")


@pytest.fixture(scope="session")
def static_core(core_builds) -> Path:
    """A static library without OpenMP, in build and prefix."""
    return core_builds("static", "-DSNN_OPENMP=OFF")


@pytest.fixture(params=snn.cpu_info()["isas_built"])
def isa(request, usable_isas) -> str:
    """Each kernel set of this build."""
    if request.param not in usable_isas:
        pytest.skip(f"{request.param} kernels cannot run here, only {', '.join(usable_isas)}")
    return request.param
