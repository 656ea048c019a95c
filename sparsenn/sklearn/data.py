"""X and y as the arrays that training takes."""

from __future__ import annotations

import numpy as np
import scipy
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import _check_sample_weight, column_or_1d

from ..checks import check_finite, check_sample_weight
from ..errors import ArgumentError
from ..sparse_input import checked


def sound(values, name: str):
    """values, after the checks that scikit-learn does not make of a scipy sparse matrix."""
    return checked(values, name) if scipy.sparse.issparse(values) else values


def as_dense(X) -> np.ndarray:
    """X as a C-contiguous float32 array; ArgumentError for what is no finite number there."""
    X = X.toarray() if scipy.sparse.issparse(X) else X
    with np.errstate(over="ignore"):
        dense = np.ascontiguousarray(X, np.float32)
    check_finite(dense, "X as float32")
    return dense


def positive_weights(sample_weight, X) -> np.ndarray | None:
    """sample_weight as (n,) float64, a number for every sample of X; None stays."""
    if sample_weight is None:
        return None
    return check_sample_weight(_check_sample_weight(sample_weight, X, dtype=np.float64), X.shape[0])


def check_first_classes(classes, known, *, multilabel: bool) -> None:
    """Raises unless partial_fit got classes as its first call needs them, or the same later."""
    if multilabel:
        return
    if known is None:
        if classes is None:
            raise ArgumentError("classes must be passed on the first call to partial_fit")
    elif classes is not None and not np.array_equal(unique_labels(np.asarray(classes)), known):
        raise ArgumentError(f"classes must be those of the first call, {known}, got {classes!r}")


def read_labels(y) -> tuple[np.ndarray, bool]:
    """-> labels (n,), or (n, labels) of 0 and 1; whether there are several a sample."""
    check_classification_targets(y)
    kind = type_of_target(y)
    if kind == "multiclass-multioutput":
        raise ArgumentError("y must hold one label a sample, or 0 and 1 for each, got several classes each")
    multilabel = kind == "multilabel-indicator"
    return (y if multilabel else column_or_1d(y, warn=True)), multilabel


def find_classes(y, given, *, multilabel: bool) -> np.ndarray:
    """The labels in ascending order: those given, else those in y; the columns of a multi-label y."""
    if multilabel:
        return np.arange(y.shape[1])
    classes = unique_labels(y) if given is None else unique_labels(np.asarray(given))
    if len(classes) < 2:
        raise ArgumentError(f"y must hold at least 2 classes, got {len(classes)} class")
    return classes


def class_codes(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The place of each label of y (n,) in classes."""
    if unknown := sorted(set(np.unique(y).tolist()) - set(classes.tolist())):
        raise ArgumentError(f"y must hold labels of classes_ {classes}, got {unknown}")
    return np.searchsorted(classes, y)
