"""Damaged scipy sparse matrices at every call that takes one: our exceptions, never a crash."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn
from sparsenn.sparse_input import checked

FORMATS = ("csr", "csc", "bsr", "coo", "dia", "lil", "dok")
DENSE = np.array([[0, 2, 0, 0], [1, 0, 3, 0], [0, 0, 0, 0], [0, 4, 0, 5]], np.float32)
WRONG_INDICES = {
    "far": lambda a: _with(a, 2**29),
    "negative": lambda a: _with(a, -1),
    "far, 64 bits": lambda a: _with(a.astype(np.int64), 2**60),
    "unsigned": lambda a: _with(a.astype(np.uint64), 2**63 + 1),
    "just outside": lambda a: _with(a, 4),
    "real": lambda a: a.astype(np.float64),
    "boolean": lambda a: a.astype(bool),
    "text": lambda a: a.astype("U3"),
    "objects": lambda a: a.astype(object),
    "longer": lambda a: np.append(a, a[-1:]),
    "shorter": lambda a: a[:-1],
    "empty": lambda a: a[:0],
    "two-dimensional": lambda a: a[np.newaxis],
    "a list": lambda a: a.tolist(),
    "nothing": lambda a: None,
}
WRONG_STARTS = {
    "a jump": lambda a: np.where(np.arange(len(a)) == 1, 2**30, a).astype(a.dtype),
    "beyond the end": lambda a: np.append(a[:-1], 2**29).astype(a.dtype),
    "falling": lambda a: np.append(a[:-1], 0).astype(a.dtype),
    "not from 0": lambda a: np.append(1, a[1:]).astype(a.dtype),
    "negative": lambda a: _with(a, -5),
    **{
        name: WRONG_INDICES[name]
        for name in ("real", "longer", "shorter", "empty", "two-dimensional", "nothing")
    },
}
WRONG_DATA = {
    "shorter": lambda a: a[:-1],
    "empty": lambda a: a[:0],
    "another shape": lambda a: a[..., np.newaxis],
    "flat": lambda a: a.reshape(-1)[0],
    "complex": lambda a: a.astype(complex),
    "objects": lambda a: a.astype(object),
    "text": lambda a: a.astype("U3"),
    "nothing": lambda a: None,
}


def _with(array, value, at=1):
    array = array.copy()
    array[at] = value
    return array


def _set(part, change):
    def damage(matrix):
        setattr(matrix, part, change(getattr(matrix, part)))

    return damage


def _place(axis, change):
    def damage(matrix):
        coords = list(matrix.coords)
        coords[axis] = change(coords[axis])
        matrix.coords = tuple(coords)

    return damage


def _lists(part, change):
    def damage(matrix):
        getattr(matrix, part)[1] = change(list(getattr(matrix, part)[1]))

    return damage


def damages():
    """(format, what is wrong, the function that does it)."""
    for name in ("csr", "csc", "bsr"):
        for part, changes in (("indices", WRONG_INDICES), ("indptr", WRONG_STARTS), ("data", WRONG_DATA)):
            for wrong, change in changes.items():
                yield name, f"{part} {wrong}", _set(part, change)
    for axis in (0, 1):
        for wrong, change in WRONG_INDICES.items():
            yield "coo", f"coords[{axis}] {wrong}", _place(axis, change)
    yield "coo", "one axis", lambda m: setattr(m, "coords", m.coords[:1])
    for wrong, change in WRONG_DATA.items():
        yield "coo", f"data {wrong}", _set("data", change)
        yield "dia", f"data {wrong}", _set("data", change)
    for wrong in ("real", "longer", "shorter", "two-dimensional", "nothing"):
        yield "dia", f"offsets {wrong}", _set("offsets", WRONG_INDICES[wrong])
    yield "dia", "offsets twice", lambda m: setattr(m, "offsets", np.full_like(m.offsets, 1))
    for value in (2**29, -1, 4, 0.5, "x", None, 2**70):
        yield "lil", f"column {value}", _lists("rows", lambda row, value=value: [row[0], value])
    for part in ("rows", "data"):
        yield "lil", f"{part} shorter", _lists(part, lambda row: row[:1])
        yield "lil", f"{part} longer", _lists(part, lambda row: [*row, 3])
        yield "lil", f"{part} no list", _lists(part, tuple)
        yield "lil", f"{part} of fewer rows", _set(part, lambda a: a[:2])
        yield "lil", f"{part} nothing", _set(part, lambda a: None)
    for value in ("x", None, 1j, [1]):
        yield "lil", f"value {value}", _lists("data", lambda row, value=value: [row[0], value])
    for key in ((0, 2**29), (-1, 0), (0, 4), (4, 0), (0.5, 0), ("a", 0), (0,), (0, 1, 2), 7, (0, 2**70)):
        yield "dok", f"key {key}", lambda m, key=key: m._dict.__setitem__(key, 1.0)
    for value in ("x", None, 1j):
        yield "dok", f"value {value}", lambda m, value=value: m._dict.__setitem__((0, 0), value)


DAMAGES = [pytest.param(kind, damage, id=f"{kind}: {wrong}") for kind, wrong, damage in damages()]


def make(kind: str, *, matrix: bool = False):
    convert = getattr(scipy.sparse, f"{kind}_{'matrix' if matrix else 'array'}")
    return convert(DENSE, blocksize=(2, 2)) if kind == "bsr" else convert(DENSE)


ENTRIES = {
    "Linear": lambda weight: snn.Linear(weight),
    "Linear.weight": lambda weight: setattr(snn.Linear(DENSE), "weight", weight),
    "spmm": lambda weight: snn.ops.spmm(weight, np.ones((4, 2))),
    "spmm_transposed": lambda weight: snn.ops.spmm_transposed(weight, np.ones((4, 2))),
    "sddmm": lambda weight: snn.ops.sddmm(weight, np.ones((4, 2)), np.ones((4, 2))),
}


@pytest.mark.parametrize(("kind", "damage"), DAMAGES)
def test_damaged_arrays_are_refused_by_name(kind, damage):
    weight = make(kind)
    damage(weight)
    for enter in ENTRIES.values():
        with pytest.raises((snn.CSRError, TypeError), match="^weight"):
            enter(weight)


@pytest.mark.parametrize(("kind", "damage"), DAMAGES)
def test_estimators_refuse_damaged_arrays(kind, damage):
    sklearn = pytest.importorskip("sparsenn.sklearn", reason="scikit-learn is not installed")
    X = make(kind)
    estimator = _fitted(sklearn)
    damage(X)
    for call in (lambda: estimator.predict(X), lambda: estimator.fit(X, [0, 1, 0, 1])):
        with pytest.raises((snn.CSRError, TypeError), match="^X"):
            call()


_made: list = []


def _fitted(sklearn):
    if not _made:
        estimator = sklearn.SparseMLPClassifier(hidden_layer_sizes=(4,), max_iter=1)
        _made.append(estimator.fit(DENSE, [0, 1, 0, 1]))
    return _made[0]


@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("kind", FORMATS)
def test_sound_matrices_are_taken_and_left_alone(kind, matrix):
    weight = make(kind, matrix=matrix)
    layer = snn.Linear(weight)
    np.testing.assert_array_equal(layer.weight.toarray(), DENSE)
    np.testing.assert_array_equal(weight.toarray(), DENSE)
    assert checked(weight, "weight").shape == weight.shape
    layer.weight.data *= 2
    np.testing.assert_array_equal(weight.toarray(), DENSE)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g", "i1", "u8", "?", ">f4", ">f8"])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_real_type_is_taken(kind, dtype):
    weight = make(kind)
    if kind in ("lil", "dok"):
        weight = make("coo").astype(np.dtype(dtype).newbyteorder("=").str.replace("f2", "f4")).asformat(kind)
    else:
        weight.data = weight.data.astype(dtype)
    wanted = DENSE.astype(dtype).astype(np.float32)
    np.testing.assert_array_equal(snn.Linear(weight).weight.toarray(), wanted)


@pytest.mark.parametrize("dtype", ["i1", "i2", "u4", "u8", ">i4", ">i8"])
@pytest.mark.parametrize("kind", ["csr", "csc", "bsr", "coo"])
def test_every_type_of_index_is_taken(kind, dtype):
    weight = make(kind)
    if kind == "coo":
        weight.coords = tuple(part.astype(dtype) for part in weight.coords)
    else:
        weight.indices, weight.indptr = weight.indices.astype(dtype), weight.indptr.astype(dtype)
    np.testing.assert_array_equal(snn.Linear(weight).weight.toarray(), DENSE)


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr"])
def test_what_scipy_keeps_in_reserve_is_no_weight(kind):
    weight = make(kind)
    weight.indices = np.append(weight.indices, [2**29, -7]).astype(weight.indices.dtype)
    weight.data = np.append(weight.data, np.full((2, *weight.data.shape[1:]), 9, np.float32), axis=0)
    np.testing.assert_array_equal(snn.Linear(weight).weight.toarray(), DENSE)


def test_diagonals_outside_of_the_matrix_hold_nothing():
    weight = scipy.sparse.dia_array((np.ones((3, 3)), [0, 2, -2]), shape=(3, 3))
    weight.offsets = np.array([0, 2**31 - 1, -9], np.int32)
    np.testing.assert_array_equal(snn.Linear(weight).weight.toarray(), np.eye(3))


def test_columns_that_need_more_than_32_bits_are_refused_not_folded():
    weight = scipy.sparse.coo_array(([1.0], ([0], [2**32 + 1])), shape=(2, 2**33))
    with pytest.raises(ValueError, match="weight must have less than 2\\*\\*31 rows and columns"):
        snn.Linear(weight)


@pytest.mark.parametrize("export", ["to_scipy", "to_torch", "to_sklearn", "to_onnx"])
def test_exporters_refuse_a_model_whose_arrays_were_damaged(export):
    pytest.importorskip(
        {"to_torch": "torch", "to_sklearn": "sklearn", "to_onnx": "onnx"}.get(export, "scipy")
    )
    model = snn.Model([snn.Linear(make("csr"))])
    model.layers[0].weight.indices[1] = 2**29
    with pytest.raises(snn.CSRError, match=r"model.layers\[0\].weight: indices must be in \[0, 4\)"):
        getattr(snn, export)(model)


@pytest.mark.parametrize("wrong", [2**29, -1, 4])
def test_a_csr_layer_of_a_file_is_checked_before_a_normalisation_is_folded_into_it(tmp_path, wrong):
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    csr = scipy.sparse.csr_array(DENSE)
    parts = {"data": csr.data, "indices": _with(csr.indices, wrong), "indptr": csr.indptr}
    tensors = {f"a.weight.{name}": part for name, part in parts.items()}
    tensors["a.weight.shape"] = np.array([4, 4])
    for name, value in {"weight": 2, "bias": 1, "running_mean": 0, "running_var": 1}.items():
        tensors[f"norm.{name}"] = np.full(4, value, np.float32)
    safetensors.save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(snn.CSRError, match=r"a.weight: indices must be in \[0, 4\)"):
        snn.from_safetensors(tmp_path / "a.safetensors", layers=["a", "norm"])
