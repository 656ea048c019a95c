"""Data files: .npz, .csv and .idx, and what is refused."""

import gzip
import struct

import numpy as np
import pytest

from sparsenn.datasets import read_data


def write_idx(path, array, code):
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)


@pytest.mark.parametrize("names", [("X", "y"), ("x", "y"), ("images", "y"), ("images", "labels")])
def test_npz(tmp_path, rng, names):
    X, y = rng.random((7, 2, 3)), rng.integers(0, 4, 7)
    np.savez(tmp_path / "data.npz", **{names[0]: X, names[1]: y})
    found = read_data(tmp_path / "data.npz", target=None if names[1] == "y" else names[1])
    np.testing.assert_array_equal(found[0], X.reshape(7, 6).astype(np.float32))
    np.testing.assert_array_equal(found[1], y)
    assert found[0].dtype == np.float32 and found[1].dtype == np.int64


def test_npz_of_a_regression(tmp_path, rng):
    y = rng.random((7, 2))
    np.savez(tmp_path / "data.npz", X=np.ones((7, 1), int), y=y)
    np.testing.assert_array_equal(read_data(tmp_path / "data.npz")[1], y.astype(np.float32))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("name", ["data.csv", "data.csv.gz"])
def test_csv(tmp_path, separator, header, name):
    rows = [["1.5", "2", "0"], ["-3e2", "4", "2"], ["5", "6.25", "1"]]
    lines = [separator.join(row) for row in ([["a", "b", "kind"]] if header else []) + rows]
    text = ("\n".join(lines) + "\n\n").encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    X, y = read_data(tmp_path / name)
    np.testing.assert_array_equal(X, np.array([[1.5, 2], [-300, 4], [5, 6.25]], np.float32))
    np.testing.assert_array_equal(y, [0, 2, 1])
    assert y.dtype == np.int64
    for target in ("0", "-3", *(["a"] if header else [])):
        X, y = read_data(tmp_path / name, target=target)
        np.testing.assert_array_equal(X[:, 1], [0, 2, 1])
        np.testing.assert_array_equal(y, np.array([1.5, -300, 5], np.float32))
        assert y.dtype == np.float32


def test_csv_numbers_the_classes_of_a_text_target(tmp_path):
    (tmp_path / "data.csv").write_text("\ufeffwidth,kind\n1,oak\n2,elm\n3,oak\n", encoding="utf-8")
    X, y = read_data(tmp_path / "data.csv")
    np.testing.assert_array_equal(X, [[1], [2], [3]])
    np.testing.assert_array_equal(y, [1, 0, 1])


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("images.idx", "labels.idx"),
        ("a.idx.gz", "b.idx"),
    ],
)
def test_idx(tmp_path, rng, images, labels):
    pixels = rng.integers(0, 256, (5, 4, 3)).astype(np.uint8)
    write_idx(tmp_path / images, pixels, 0x08)
    write_idx(tmp_path / labels, np.array([3, 1, 4, 1, 5], np.uint8), 0x08)
    X, y = read_data(tmp_path / images, target=str(tmp_path / labels) if images[0] == "a" else None)
    np.testing.assert_array_equal(X, pixels.reshape(5, 12) / np.float32(255))
    np.testing.assert_array_equal(y, [3, 1, 4, 1, 5])


@pytest.mark.parametrize(
    ("code", "kind"), [(0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]
)
def test_idx_of_other_types(tmp_path, code, kind):
    values = np.array([[1, -2], [3, 4]], kind)
    write_idx(tmp_path / "images.idx", values, code)
    write_idx(tmp_path / "labels.idx", np.array([0, 1], np.uint8), 0x08)
    np.testing.assert_array_equal(read_data(tmp_path / "images.idx")[0], values.astype(np.float32))


GOOD_IDX = struct.pack(">BBBBI", 0, 0, 8, 1, 3) + b"\1\2\3"


@pytest.mark.parametrize(
    ("name", "content", "target", "message"),
    [
        ("none.csv", None, None, "path must be a data file"),
        ("data.txt", b"1,2\n", None, "path must end in .npz, .csv, .idx or .idx.gz, got 'data.txt'"),
        ("data.csv", b"", None, "holds no lines"),
        ("data.csv", b"1\n2\n", None, "must hold a feature and a target at least, got 1 column"),
        ("data.csv", b"1,2\n3,4,5\n", None, "line 2 must hold 2 values like the first, got 3"),
        ("data.csv", b"1,2\nx,4\n", None, "data.csv: line 2, column 0: features must be numbers, got 'x'"),
        ("data.csv", b"a,b\n1,2\n", "c", "target must be a column of data.csv, got 'c'; there are a, b"),
        ("data.csv", b"1,2\n3,4\n", "c", "target must be a column of data.csv, got 'c', and no header"),
        ("data.csv", b"1,2\n3,4\n", "2", "target must be a column of data.csv with 2 columns, got 2"),
        ("data.csv", b"\xff\xfe1,2\n", None, "not a text file"),
        ("data.csv.gz", b"1,2\n", None, "not a text file"),
        ("data.npz", b"nonsense", None, "not a .npz file"),
        ("images.idx", b"\0\0\7\1", None, "not an .idx file"),
        ("images.idx", b"", None, "not an .idx file"),
        ("images.idx", GOOD_IDX[:6], None, "truncated after 6 bytes"),
        ("images.idx", GOOD_IDX[:-1], None, "must hold 3 bytes for the shape"),
        ("images.idx", GOOD_IDX + b"\0", None, "must hold 3 bytes for the shape"),
        ("images.idx.gz", GOOD_IDX, "labels.idx", "not a gzip file"),
        ("images.idx", GOOD_IDX, "none.idx", "target must be an .idx file"),
        ("data.idx", GOOD_IDX, None, "target must name the .idx file of the labels"),
        ("images.idx", struct.pack(">BBBBI", 0, 0, 8, 1, 2) + b"\1\2", None, "as many samples, got 2 and 3"),
    ],
)
def test_bad_files(tmp_path, monkeypatch, name, content, target, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.idx").write_bytes(GOOD_IDX)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_data(name, target=target)


@pytest.mark.parametrize(
    ("arrays", "target", "message"),
    [
        ({"a": np.ones(3)}, None, "must hold the arrays X and y, got a"),
        ({"X": np.ones((3, 1)), "y": np.ones(2)}, None, "as many samples, got 3 and 2"),
        ({"X": np.ones((3, 1)), "y": np.ones(3)}, "z", "target must be one of the arrays X, y"),
        (
            {"X": np.ones((3, 1)), "y": np.array(["a", "", "b"])},
            None,
            "sample 1: the target must not be empty",
        ),
        ({"X": np.ones((3, 1)), "y": np.array([object()] * 3)}, None, "y must be a plain array"),
    ],
)
def test_bad_npz(tmp_path, arrays, target, message):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        read_data(tmp_path / "data.npz", target=target)
