"""Data sets: the one that comes with the package, and those in files.

The sources and licences of what comes with the package stand beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .files import read_data

__all__ = ["digits", "read_data"]


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Handwritten digits, 8 x 8 pixels: the UCI set, 1437 images for training and 360 for testing.

    ->  X_train (1437, 64) float32 in [0, 1], y_train (1437,) int64 in 0..9, X_test (360, 64), y_test (360,)
    The split is fixed and stratified by class. New arrays at each call.
    Source and licence (CC BY 4.0): digits.md in this folder

    >>> import sparsenn as snn
    >>> X, y, X_test, y_test = snn.datasets.digits()
    >>> X.shape, X_test.shape, sorted(set(y.tolist()))
    ((1437, 64), (360, 64), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as stored:
        images, labels, test = stored["images"], stored["labels"], stored["test"]
    X, y = images.astype(np.float32) / np.float32(16), labels.astype(np.int64)
    return X[~test], y[~test], X[test], y[test]
