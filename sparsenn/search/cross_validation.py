"""Folds of a data set."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..checks import check_integer
from ..errors import ArgumentError

Fold = tuple[np.ndarray, np.ndarray]  # indices of the training and of the test samples


def make_folds(cv, y: np.ndarray, *, stratify: bool, seed: int) -> list[Fold]:
    """Disjoint test sets that together hold every sample once, or the folds that were given.

    cv        a number of folds, at least 2, or pairs of index arrays (training, test)
    y         (n, ...) one row a sample; stratify: it holds classes (n,), spread evenly over the folds
    """
    count = len(y)
    if isinstance(cv, Iterable) and not isinstance(cv, str):
        return [_check_fold(fold, count) for fold in cv]
    folds = check_integer("cv", cv, minimum=2)
    if folds > count:
        raise ArgumentError(f"cv must be at most the number of samples ({count}), got {folds}")
    order = np.random.default_rng(seed).permutation(count)
    if stratify:
        order = order[np.argsort(y[order], kind="stable")]  # class by class, so that every fold gets of each
    number = np.empty(count, np.int64)
    number[order] = np.arange(count) % folds
    return [(np.flatnonzero(number != fold), np.flatnonzero(number == fold)) for fold in range(folds)]


def _check_fold(fold, count: int) -> Fold:
    if not isinstance(fold, (tuple, list)) or len(fold) != 2:
        raise TypeError("cv must be a number or pairs (training indices, test indices)")
    pair = tuple(np.asarray(part) for part in fold)
    for part in pair:
        if part.ndim != 1 or part.dtype.kind not in "iu" or part.size == 0:
            raise ArgumentError("cv must hold arrays of integers, not empty")
        if part.min() < 0 or part.max() >= count:
            raise ArgumentError(f"cv must hold indices in [0, {count}), got {part.min()} to {part.max()}")
    return pair
