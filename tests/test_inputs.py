"""What Plan.run takes: any real array, in place where it can be; and how a model prints."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import sparsenn as snn


@pytest.fixture(scope="module")
def plan():
    return snn.compile(snn.prune(snn.mlp([12, 20, 5], seed=0), sparsity=0.8), threads=1)


@pytest.fixture
def x(rng):
    return rng.integers(-4, 5, (6, 12)).astype(np.float32)


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, np.longdouble, np.int8, np.int64, ">f4", ">f8"]
)
def test_dtypes(plan, x, dtype):
    np.testing.assert_array_equal(plan.run(x.astype(dtype)), plan.run(x))


def test_orders_strides_and_read_only(plan, x, tmp_path):
    expected = plan.run(x)
    wide = np.zeros((12, 24), np.float32)
    wide[::2, ::2] = x
    fixed = x.copy()
    fixed.flags.writeable = False
    np.save(tmp_path / "x.npy", x)
    for given in (
        *(np.asfortranarray(x), wide[::2, ::2], x[::-1].copy()[::-1], fixed, x.tolist()),
        *(np.load(tmp_path / "x.npy", mmap_mode="r"), memoryview(x)),
    ):
        np.testing.assert_array_equal(plan.run(given), expected)


def test_dlpack(plan, x):
    class Offered:
        """An array of another library, that offers DLPack alone."""

        def __dlpack__(self, **options):
            return x.__dlpack__(**options)

        def __dlpack_device__(self):
            return x.__dlpack_device__()

    np.testing.assert_array_equal(plan.run(Offered()), plan.run(x))


def test_no_copy_of_what_needs_none(plan, x):
    from sparsenn.reference import as_batch

    assert as_batch(x, inputs=12) is x
    assert np.shares_memory(as_batch(x[2:5], inputs=12), x)


def test_out(plan, x):
    out = np.full((6, 5), np.nan, np.float32)
    assert plan.run(x, out=out) is out
    np.testing.assert_array_equal(out, plan.run(x))
    for wrong in (np.zeros((6, 4), np.float32), np.zeros((6, 5)), np.zeros((5, 6), np.float32).T):
        with pytest.raises((ValueError, TypeError), match="out must"):
            plan.run(x, out=wrong)


def test_print_is_a_table_and_repr_a_line():
    model = snn.prune(snn.mlp([100, 50, 10], output="softmax", seed=0), sparsity=0.9, keep=(-1,))
    assert repr(model) == "Model(100 -> 50 -> 10, 4 layers, sparsity=0.8182)"
    lines = str(model).splitlines()
    assert lines[0].split() == ["layer", "shape", "sparsity", "bytes", "activation"]
    nbytes = 500 * 8 + 51 * 4 + 50 * 4
    assert lines[1].split() == ["0", "50", "x", "100", "90.00%", f"{nbytes:,}", "ReLU"]
    assert lines[2].split() == ["1", "10", "x", "50", "dense", f"{500 * 4 + 40:,}", "Softmax"]
    assert lines[3].split()[:4] == ["all", "100", "->", "10"]
    assert len(lines) == 4
    first = str(snn.Model([snn.ClippedReLU(), *model.layers])).splitlines()[1]
    assert first.split() == ["ClippedReLU(low=0.0,", "high=6.0)"]


def test_a_missing_framework_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        ImportError, match=r"to_onnx needs the package onnx, .*: pip install 'sparsenn\[onnx\]'"
    ):
        snn.to_onnx(snn.mlp([2, 2]))
    with pytest.raises(snn.MissingPackageError, match=r"pip install 'sparsenn\[onnx\]'"):
        snn.from_onnx(b"")


def test_registries():
    from sparsenn import exporters, importers

    assert importers.formats() == ["keras", "onnx", "safetensors", "sklearn", "torch"]
    assert exporters.formats() == ["onnx", "scipy", "sklearn", "torch"]
    assert importers.find_importer("torch") is snn.from_torch
    assert exporters.find_exporter("onnx") is snn.to_onnx
    with pytest.raises(ValueError, match="name must be one of keras, .* got 'caffe'"):
        importers.find_importer("caffe")
    with pytest.raises(AttributeError):
        _ = importers.from_caffe


def test_nothing_is_imported_before_it_is_needed(tmp_path):
    import subprocess

    code = (
        "import sys, sparsenn; print([m for m in ('torch', 'onnx', 'keras', 'sklearn') if m in sys.modules])"
    )
    # From elsewhere: in the repository's folder python would take the sources, which are not built.
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"
