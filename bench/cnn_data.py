"""Data and networks of train_cnn.py."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

import sparsenn as snn
from sparsenn.datasets.idx_file import read_idx_pair
from sparsenn.graph.value import Value


class Data(NamedTuple):
    """Images (n, 1, height, width) float32 in [0, 1] and labels (n,), for training and for tests."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def read_data(path: Path | None, images: int | None = None) -> Data:
    """Of an .npz file or a folder with MNIST's four files; None: the digits.

    images  how many to train on, the first of them; None: all
    """
    if path is None:
        X, y, X_test, y_test = snn.datasets.digits()
        X, X_test = X.reshape(-1, 8, 8), X_test.reshape(-1, 8, 8)
    elif path.is_dir():
        X, y, _ = read_idx_pair(_images_file(path, "train"))
        X_test, y_test, _ = read_idx_pair(_images_file(path, "t10k"))
    else:
        with np.load(path, allow_pickle=False) as file:
            X, X_test = (file[name].astype(np.float32) / 255 for name in ("x_train", "x_test"))
            y, y_test = file["y_train"], file["y_test"]
    if images is not None and not 1 <= images <= len(X):
        raise ValueError(f"--images must be from 1 to {len(X)}, got {images}")
    X, y = X[:images], y[:images]
    return Data(X[:, np.newaxis], y.astype(np.int64), X_test[:, np.newaxis], y_test.astype(np.int64))


def _images_file(folder: Path, part: str) -> Path:
    for path in sorted(folder.glob(f"{part}-images*")):
        return path
    raise FileNotFoundError(
        f"--data must be a folder with MNIST's four files, got {folder} without {part}-images*"
    )


class _Weights:
    """Random weights of a variance of 2 / inputs (He et al. 2015)."""

    def __init__(self, seed: int):
        self._generator = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return self._generator.standard_normal(shape, np.float32) * np.sqrt(2 / np.prod(shape[1:]))


def _two_linears(weight: _Weights, x: Value, hidden: int) -> Value:
    h = snn.Flatten()(x)
    h = snn.ReLU()(snn.Linear(weight(hidden, h.dims[1]), np.zeros(hidden))(h))
    return snn.Linear(weight(10, hidden), np.zeros(10))(h)


def two_convolutions(seed: int, size: tuple[int, int]) -> snn.Model:
    """16 and 32 channels, a pool, and two linear layers with 128 neurons between."""
    weight = _Weights(seed)
    x = snn.Input((1, *size), name="image")
    h = snn.ReLU()(snn.Conv2d(weight(16, 1, 3, 3), np.zeros(16), padding=1)(x))
    h = snn.ReLU()(snn.Conv2d(weight(32, 16, 3, 3), np.zeros(32), padding=1)(h))
    return snn.Model(inputs=x, outputs=_two_linears(weight, snn.MaxPool2d(2)(h), 128))


def three_convolutions(seed: int, size: tuple[int, int]) -> snn.Model:
    """24, 48 and 96 channels, a pool behind each, and two linear layers with 256 neurons between."""
    weight, inputs = _Weights(seed), 1
    x = h = snn.Input((1, *size), name="image")
    for outputs in (24, 48, 96):
        h = snn.ReLU()(snn.Conv2d(weight(outputs, inputs, 3, 3), np.zeros(outputs), padding=1)(h))
        h, inputs = snn.MaxPool2d(2)(h), outputs
    return snn.Model(inputs=x, outputs=_two_linears(weight, h, 256))


NETWORKS = {"two": two_convolutions, "three": three_convolutions}
