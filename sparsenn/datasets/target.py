"""What a target is taken for: classes or numbers.

read_target  ->  Target(values, task, classes): class numbers (n,) int64, or float32 (n,) or (n, outputs)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, FormatError

TASKS = ("classification", "regression")

# Up to so many different values a target is taken for classes without a look at how often each occurs.
FEW = 20
SAMPLES_A_CLASS = 10
# Class numbers up to a byte's need no sample each: a network gets an output for every number.
BYTE = 256
# Whole numbers up to here are told apart as float64.
EXACT = 2**53


@dataclass(frozen=True)
class Target:
    """values (n,) int64 class numbers for classification, else float32 (n,) or (n, outputs).

    classes  what stands for each class number, in their order, where they are numbered here; else None
    """

    values: np.ndarray
    task: str
    classes: tuple[str, ...] | None = None

    def describe(self) -> str:
        """What the target is taken for, in words."""
        if self.task == "regression":
            outputs = 1 if self.values.ndim == 1 else self.values.shape[1]
            return "regression" if outputs == 1 else f"regression with {outputs} outputs"
        if self.classes is None:
            count = int(self.values.max()) + 1
            return f"classification with {count} classes, 0 to {count - 1}"
        names = ", ".join(self.classes if len(self.classes) <= 8 else [*self.classes[:7], "..."])
        return f"classification with {len(self.classes)} classes: {names}"


def check_task(task: str | None) -> None:
    """Raises unless task is None, "classification" or "regression"."""
    if task is not None and task not in TASKS:
        raise ArgumentError(f"task must be one of {', '.join(TASKS)}, or None, got {task!r}")


def read_target(y: np.ndarray, *, task: str | None, place: Callable[[int], str]) -> Target:
    """The target of numbers (n, ...) or texts (n,); n >= 1.

    task   None: text and whole numbers from 0 up are classes, rows with a single 1 as well, all else is a
           regression; where this is a guess (many values that occur seldom), an error asks for it
    place  the words for where sample i stands, for messages
    """
    if y.ndim > 1 and y.size == len(y):
        y = y.reshape(-1)
    if y.dtype.kind == "U":
        if y.ndim > 1:
            raise FormatError(f"{place(0)}: a target of text must have shape (n,), got {y.shape}")
        return _of_texts(y, task, place)
    if y.dtype.kind not in "biuf":
        raise FormatError(f"{place(0)}: the target must hold numbers or text, got dtype {y.dtype}")
    _check_numbers(y, place)
    whole = y.dtype.kind != "f" or np.array_equal(y, np.floor(y))
    if y.ndim > 1:
        one_hot = y.ndim == 2 and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()
        if task == "classification" and not one_hot:
            raise ArgumentError(f"{place(0)}: classes must be (n,) or rows with a single 1, got {y.shape}")
        if one_hot and task != "regression":
            return Target(y.argmax(axis=1).astype(np.int64), "classification")
        return Target(y.astype(np.float32), "regression")
    if task == "regression" or (task is None and (not whole or y.min() < 0)):
        return Target(y.astype(np.float32), "regression")
    if not whole:
        index = int(np.flatnonzero(y != np.floor(y))[0])
        raise ArgumentError(f"{place(index)}: classes must be whole numbers or text, got {y[index]:g}")
    return _of_whole_numbers(y, task, place)


def _check_numbers(y: np.ndarray, place: Callable[[int], str]) -> None:
    """Raises unless all of y (n, ...) is finite, as float32 too."""
    with np.errstate(over="ignore"):
        finite = np.isfinite(y.astype(np.float32, copy=False)) if y.dtype.kind == "f" else np.ones(1, bool)
    if not finite.all():
        at = np.unravel_index(int(finite.argmin()), y.shape)
        raise FormatError(f"{place(int(at[0]))}: the target must be finite as float32, got {y[at]}")


def _of_whole_numbers(y: np.ndarray, task: str | None, place: Callable[[int], str]) -> Target:
    largest = int(y.max())
    if y.dtype.kind == "f" and (largest > EXACT or y.min() < -EXACT):
        index = int(np.abs(y).argmax())
        raise FormatError(f"{place(index)}: classes must be numbers up to 2^53, got {int(y[index])}")
    values, numbers = np.unique(y, return_inverse=True)
    if task is None:
        _check_clear(values, len(y), place, "whole numbers")
    direct = y.min() >= 0 and largest < max(BYTE, len(y))
    if direct:
        return Target(y.astype(np.int64), "classification")
    if task is None:
        index = int(y.argmax())
        raise ArgumentError(
            f"{place(index)}: got {int(y[index])} among {len(y)} samples of whole numbers; {_ASK}, "
            "for which they are numbered in their order"
        )
    return Target(numbers.astype(np.int64), "classification", tuple(str(int(value)) for value in values))


def _of_texts(y: np.ndarray, task: str | None, place: Callable[[int], str]) -> Target:
    if task == "regression":
        raise FormatError(f"{place(0)}: the target of a regression must hold numbers, got {str(y[0])!r}")
    values, numbers = np.unique(y, return_inverse=True)
    if not values[0]:
        raise FormatError(f"{place(int((y == '').argmax()))}: the target must not be empty")
    if task is None:
        _check_clear(values, len(y), place, "texts")
    return Target(numbers.astype(np.int64), "classification", tuple(values.tolist()))


def _check_clear(values: np.ndarray, samples: int, place: Callable[[int], str], kind: str) -> None:
    """Raises where so many different values occur so seldom that they may be no classes."""
    if len(values) > max(FEW, samples // SAMPLES_A_CLASS):
        raise ArgumentError(
            f"{place(0)}: the target holds {len(values)} different {kind} in {samples} samples; {_ASK}"
        )


_ASK = "say task='classification' or 'regression' (--task)"
