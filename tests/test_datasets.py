"""The embedded data set: what it holds, that it is fixed, and that its licence is with it."""

from pathlib import Path

import numpy as np

import sparsenn as snn

FOLDER = Path(snn.datasets.__file__).parent


def test_shapes_types_and_range():
    X_train, y_train, X_test, y_test = snn.datasets.digits()
    assert (X_train.shape, y_train.shape) == ((1437, 64), (1437,))
    assert (X_test.shape, y_test.shape) == ((360, 64), (360,))
    assert X_train.dtype == X_test.dtype == np.float32
    assert y_train.dtype == y_test.dtype == np.int64
    for X in (X_train, X_test):
        assert X.min() == 0 and X.max() == 1 and X.flags.c_contiguous
        np.testing.assert_array_equal(X * 16, np.round(X * 16))


def test_every_class_is_split_alike():
    _, y_train, _, y_test = snn.datasets.digits()
    train, test = np.bincount(y_train), np.bincount(y_test)
    np.testing.assert_array_equal(train + test, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert np.all(np.abs(test - (train + test) / 5) <= 1)


def test_fixed_and_new_at_each_call():
    first, second = snn.datasets.digits(), snn.datasets.digits()
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.shares_memory(one, other)
    first[0][:] = -1
    assert snn.datasets.digits()[0].min() == 0


def test_known_image():
    X_train, y_train, X_test, y_test = snn.datasets.digits()
    zero = "0 0 5 13 9 1 0 0 0 0 13 15 10 15 5 0 0 3 15 2 0 11 8 0 0 4 12 0 0 8 8 0"
    upper = np.array([int(pixel) for pixel in zero.split()])  # the upper half of the source's first image
    assert y_test[0] == 0
    np.testing.assert_array_equal(X_test[0, :32] * 16, upper)
    assert not (X_train[:, :32] * 16 == upper).all(axis=1).any()


def test_small_and_with_its_licence():
    assert (FOLDER / "digits.npz").stat().st_size < 150_000
    text = (FOLDER / "digits.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in text and "10.24432/C50P49" in text and "Alpaydin" in text
