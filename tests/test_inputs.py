"""What Plan.run takes: any real array, in place where it can be; and how a model prints."""

from __future__ import annotations

import contextlib
import sys

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.reference import reference_with_bound


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
    from sparsenn.inputs import as_batch

    assert as_batch(x, inputs=12) is x
    assert np.shares_memory(as_batch(x[2:5], inputs=12), x)


def test_out(plan, x):
    out = np.full((6, 5), np.nan, np.float32)
    assert plan.run(x, out=out) is out
    np.testing.assert_array_equal(out, plan.run(x))
    for wrong in (np.zeros((6, 4), np.float32), np.zeros((6, 5)), np.zeros((6, 10), np.float32)[:, ::2]):
        with pytest.raises((ValueError, TypeError), match="out must"):
            plan.run(x, out=wrong)


def aligned(array, order, offset=0):
    """A copy of a float32 array in that order, offset bytes behind a cache line."""
    memory = np.empty(array.nbytes + 64 + offset, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    copy = np.ndarray(array.shape, array.dtype, memory[start : start + array.nbytes], order=order)
    copy[...] = array
    return copy


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_order_gives_the_same_bits(threads, softmax, rng):
    """All orders of x and out, on a cache line and beside it, for batches around the tiles' widths."""
    model = snn.prune(snn.mlp([37, 50, 21], output="softmax" if softmax else None, seed=1), sparsity=0.7)
    plan = snn.compile(model, threads=threads, tune="off", cache=False)
    for batch in (0, 1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70, 130):
        x = rng.standard_normal((batch, 37), dtype=np.float32)
        wanted, bound = reference_with_bound(model, x)
        expected = plan.run(x)
        assert expected.size == 0 or (abs(expected - wanted) - bound).max() <= 0
        for order, offset in (("C", 0), ("F", 0), ("F", 4)):
            given = aligned(x, order, offset)
            y = plan.run(given)
            assert y.dtype == np.float32 and y.flags.c_contiguous == (order == "C" or batch < 2)
            assert y.flags.f_contiguous == (order == "F" or batch < 2)
            np.testing.assert_array_equal(y, expected)
            for out_order in "CF":
                out = np.full((batch, 21), np.nan, np.float32, order=out_order)
                assert plan.run(given, out=out) is out
                np.testing.assert_array_equal(out, expected)


def test_features_first_is_read_and_written_in_place(plan, x, tmp_path):
    from sparsenn.inputs import as_batch

    columns = np.ascontiguousarray(x.T)
    columns.flags.writeable = False
    assert np.shares_memory(as_batch(columns.T, inputs=12, any_order=True), columns)
    assert as_batch(columns.T, inputs=12).flags.c_contiguous
    expected = plan.run(x)
    np.save(tmp_path / "x.npy", columns)
    for given in (columns.T, columns.reshape(12, 2, 3).reshape(12, -1).T):
        y = plan.run(given)
        assert y.flags.f_contiguous and not y.flags.c_contiguous
        np.testing.assert_array_equal(y, expected)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r").T
    assert plan.run(mapped).flags.f_contiguous
    np.testing.assert_array_equal(plan.run(mapped), expected)
    rows = np.full((9, 6), np.nan, np.float32)
    out = rows[2:7].T
    assert plan.run(x, out) is out
    np.testing.assert_array_equal(rows[2:7].T, expected)
    assert np.isnan(rows[:2]).all() and np.isnan(rows[7:]).all()


def test_what_is_not_contiguous_is_copied(plan, rng):
    wide = rng.standard_normal((24, 40), dtype=np.float32)
    for given in (
        wide[:12, :10].T,
        wide[::2, :10].T,
        wide[:20, ::-2][:, :12],
        wide[:12].T[::2],
        wide[:20, 3:15],
    ):
        y = plan.run(given)
        assert y.flags.c_contiguous
        np.testing.assert_array_equal(y, plan.run(given.copy("C")))
    double = np.asfortranarray(wide[:, :12], np.float64)
    assert plan.run(double).flags.c_contiguous
    np.testing.assert_array_equal(plan.run(double), plan.run(wide[:, :12]))


def test_arrays_between_float_boundaries(plan, x):
    for order in "CF":
        np.testing.assert_array_equal(plan.run(aligned(x, order, 1)), plan.run(x))
    with pytest.raises(ValueError, match="out must be C- or F-contiguous, aligned and writeable"):
        plan.run(x, out=aligned(np.zeros((6, 5), np.float32), "C", 1))


def test_out_of_a_subclass_is_filled_in_place(plan, x, tmp_path):
    file = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.float32, (6, 5))
    assert plan.run(x, out=file) is file
    file.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), plan.run(x))


def test_out_that_shares_memory_with_x_is_refused(rng):
    plan = snn.compile(snn.mlp([12, 12], seed=0), threads=1, tune="off", cache=False)
    memory = rng.standard_normal((18, 12), dtype=np.float32)
    before = memory.copy()
    columns = memory.reshape(12, 18)
    for given, out in (
        *((memory[:6], memory[:6]), (memory[:6], memory[5:11]), (memory[5:11], memory[:6])),
        *((columns[:, :].T, memory), (memory, columns.T)),
    ):
        with pytest.raises(ValueError, match="out must not share memory with x"):
            plan.run(given, out=out)
    np.testing.assert_array_equal(memory, before)
    plan.run(memory[:6], out=memory[6:12])
    np.testing.assert_array_equal(memory[6:12], plan.run(before[:6]))
    converted = memory[:6].astype(np.float64)
    plan.run(converted, out=memory[:6])
    np.testing.assert_array_equal(memory[:6], plan.run(converted))


@pytest.mark.parametrize("order", "CF")
def test_wrong_out_is_named_and_untouched(plan, x, order):
    given = np.array(x, order=order)
    read_only = np.full((6, 5), 7, np.float32, order)
    read_only.flags.writeable = False
    wide = np.full((6, 10), 7, np.float32, order)
    for wrong, error, words in (
        (np.zeros((6, 5), np.float64, order), TypeError, "out must be a float32 array, got dtype float64"),
        (np.zeros((6, 5), ">f4", order), TypeError, "out must be a float32 array, got dtype >f4"),
        (memoryview(np.zeros((6, 5), np.float32)), TypeError, "out must be a float32 array, got memoryview"),
        (np.zeros((5, 6), np.float32, order), ValueError, r"out must have shape \(6, 5\), got \(5, 6\)"),
        (np.zeros((7, 5), np.float32, order), ValueError, r"out must have shape \(6, 5\), got \(7, 5\)"),
        (np.zeros(30, np.float32), ValueError, r"out must have shape \(6, 5\), got \(30,\)"),
        (read_only, ValueError, "out must be C- or F-contiguous, aligned and writeable"),
        (wide[:, ::2], ValueError, "out must be C- or F-contiguous, aligned and writeable"),
        (wide[::-1, :5], ValueError, "out must be C- or F-contiguous, aligned and writeable"),
    ):
        with pytest.raises(error, match=words):
            plan.run(given, out=wrong)
    assert (read_only == 7).all() and (wide == 7).all()


def test_arrays_are_let_go_whatever_happens(plan, x):
    """A buffer that is still held keeps its array from being freed."""
    out = np.zeros((6, 5), np.float32)
    for given, target in (
        (x, out),
        (x, x),
        (x[:, :3].copy(), out),
        (x, np.zeros((5, 6), np.float32)),
        (x, [3]),
    ):
        held = [sys.getrefcount(given), sys.getrefcount(target)]
        for _ in range(3):
            with contextlib.suppress(ValueError, TypeError):
                plan.run(given, out=target)
        assert [sys.getrefcount(given), sys.getrefcount(target)] == held


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
        ImportError, match=r"to_onnx needs the package onnx, .*: pip install 'sparsenn-cpu\[onnx\]'"
    ):
        snn.to_onnx(snn.mlp([2, 2]))
    with pytest.raises(snn.MissingPackageError, match=r"pip install 'sparsenn-cpu\[onnx\]'"):
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
