"""Samples from a .csv or .csv.gz file, line by line.

read_csv  ->  _Lines: bounded lines  ->  csv.reader  ->  header, then one sample a line
"""

from __future__ import annotations

import csv
import gzip
import itertools
import re
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from ..errors import ArgumentError, FormatError

LONGEST_LINE = 2**24  # characters, of a sample: what a damaged or hostile file can make us hold

# float() takes more than a data file means: 1_000, infinity, digits of other scripts.
_PLAIN = re.compile(r"[0-9+\-.eE ]*")
# In linear time: no digit may fit in two places.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
# Written as a number, but not as this reader takes one: 1_000, 1,000, 1'000.5, 0x1p3.
_LIKE_NUMBER = re.compile(r"[+-]?([0-9][0-9.,_' \u00a0\u202f]*|0[xX][0-9a-fA-F.pP+-]+)")
_MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "?"}


def read_csv(
    path: Path, *, target: str | None = None, task: str | None = None, header: bool | None = None
) -> tuple[np.ndarray, np.ndarray, list[int], str]:
    """-> features (n, features) float64, target (n,) float64 or text, line of each sample, target's name.

    header  whether the first line holds names; None: it does where no cell of it is a number
    """
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            return _read(file, path, target, task, header)
    except (UnicodeDecodeError, gzip.BadGzipFile, zlib.error, csv.Error, EOFError) as error:
        raise FormatError(f"{path}: not a text file of separated values: {error}") from error


def _read(file: TextIO, path: Path, target, task, header):
    lines = _Lines(file, path)
    start = next(lines, "")
    reader = csv.reader(itertools.chain([start], lines), delimiter=max(",;\t", key=start.count))
    rows = _rows(reader, lines, path)
    first, second = next(rows, None), next(rows, None)
    if first is None:
        raise FormatError(f"{path}: holds no lines")
    width = len(first[1])
    if width < 2:
        raise FormatError(f"{path}: must hold a feature and a target at least, got {width} column")
    names = _header(first, None if second is None else second[1], target, header, path)
    column = _target_column(target, names, width, path)
    samples = itertools.chain([first] * (names is None), [second] * (second is not None), rows)
    numbers, labels, at = array("d"), [], array("q")
    for line, row in samples:
        if len(row) != width:
            raise FormatError(f"{path}: line {line} must hold {width} values like the first, got {len(row)}")
        labels.append(row.pop(column).strip())
        at.append(line)
        try:
            if not _PLAIN.fullmatch("".join(row)):
                raise ValueError
            numbers.extend(map(float, row))
        except ValueError:
            cells = [cell.strip() for cell in row]
            index = next((i for i, cell in enumerate(cells) if not _NUMBER.fullmatch(cell)), None)
            if index is None:  # beside the numbers is white space that is no blank
                numbers.extend(map(float, cells))
                continue
            value = row[index]
            place = _place(path, line, index + (index >= column), names)
            raise FormatError(f"{place}: features must be numbers, got {value!r}") from None
    if not labels:
        raise FormatError(f"{path}: holds a header and no samples")
    X = np.frombuffer(numbers, np.float64).reshape(len(labels), width - 1)
    _check_range(X, at, column, names, path)
    y = _labels(labels, task, lambda i: _place(path, at[i], column, names))
    return X, y, at, "column " + (repr(names[column]) if names else str(column))


class _Lines:
    """The lines of a file; FormatError where those of one sample get too long."""

    def __init__(self, file: TextIO, path: Path):
        self._file, self._path, self.held = file, path, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE + 1)
        self.held += len(line)
        if self.held > LONGEST_LINE:
            raise FormatError(f"{self._path}: a sample must be at most {LONGEST_LINE} characters long")
        if not line:
            raise StopIteration
        return line


def _rows(reader, lines: _Lines, path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every line that is not blank."""
    for row in reader:
        lines.held = 0
        if len(row) > 1 or (row and row[0].strip()):
            yield reader.line_num, row


def _header(first, second, target, header, path: Path) -> list[str] | None:
    """The names in the first line, or None where it is a sample; an error where that cannot be told."""
    line, cells = first
    cells = [cell.strip() for cell in cells]
    if header is not None:
        return cells if header else None
    if second is None or len(second) != len(cells):
        return None
    numbers = [_is_number(cell) for cell in cells]
    counted = [number and cell == str(i) for i, (number, cell) in enumerate(zip(numbers, cells, strict=True))]
    if all(numbers):
        if len(cells) > 2 and all(counted):
            raise _unclear(path, line, 0, "counts up from 0")
        return None
    if not any(_is_number(cell.strip()) for cell in second):
        return None
    if not any(numbers):
        return cells if _are_names(cells) else None
    column = _number_of(target, len(cells)) if target is not None else len(cells) - 1
    if column is not None and all(numbers[:column] + numbers[column + 1 :]):
        return None  # numbers and a class, or a target that is to be reported as no number
    wrong = numbers.index(False)
    raise _unclear(path, line, wrong, f"holds {cells[wrong]!r} and {cells[numbers.index(True)]!r}")


def _are_names(cells: list[str]) -> bool:
    """Whether cells without a number are names: no missing values; in a wide line some may be empty."""
    named = sum(cell != "" for cell in cells)
    wide = len(cells) > 2 and 2 * named > len(cells)
    return (named == len(cells) or wide) and not any(cell.lower() in _MISSING for cell in cells if cell)


def _unclear(path: Path, line: int, column: int, what: str) -> FormatError:
    return FormatError(
        f"{path}: line {line} {what}, a header or a sample with a wrong value in column {column}: "
        "say header=True or False (--header yes or no)"
    )


def _number_of(target: str, width: int) -> int | None:
    try:
        column = int(target)
    except ValueError:
        return None
    return column % width if -width <= column < width else None


def _target_column(target: str | None, names: list[str] | None, width: int, path: Path) -> int:
    if target is None:
        return width - 1
    if names is not None and target in names:
        if names.count(target) > 1:
            raise ArgumentError(
                f"target must be one column of {path.name}, got {target!r}, a name of several"
            )
        return names.index(target)
    try:
        column = int(target)
    except ValueError:
        there = f"; there are {', '.join(names)}" if names else ", and no header"
        raise ArgumentError(f"target must be a column of {path.name}, got {target!r}{there}") from None
    if not -width <= column < width:
        raise ArgumentError(f"target must be a column of {path.name} with {width} columns, got {column}")
    return column % width


def _place(path: Path, line: int, column: int, names: list[str] | None) -> str:
    name = f" {names[column]!r}" if names else ""
    return f"{path}: line {line}, column {column}{name}"


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text))


def _check_range(X: np.ndarray, at: array, column: int, names: list[str] | None, path: Path) -> None:
    """Raises where a feature is beyond float32."""
    with np.errstate(over="ignore"):
        finite = np.isfinite(X.astype(np.float32))
    if not finite.all():
        row, index = divmod(int(finite.argmin()), X.shape[1])
        place = _place(path, at[row], index + (index >= column), names)
        raise FormatError(f"{place}: features must be finite as float32, got {X[row, index]:g}")


def _labels(texts: list[str], task: str | None, place) -> np.ndarray:
    """The target's cells as float64 where all are numbers, as text where none is, else an error.

    With the task classification every cell may be text.
    """
    numbers = [bool(_NUMBER.fullmatch(text)) for text in texts]
    if all(numbers):
        values = np.array(texts, np.float64)
        if not np.isfinite(values).all():
            index = int(np.isfinite(values).argmin())
            raise FormatError(f"{place(index)}: the target must be finite, got {texts[index]!r}")
        return values
    empty = sum(text == "" for text in texts)
    if empty:
        index = texts.index("")
        every = "; every line ends in a separator" if empty == len(texts) else ""
        raise FormatError(f"{place(index)}: the target must not be empty, got ''{every}")
    if task == "classification":
        return np.array(texts)
    odd = [text.lower() in _MISSING or _is_number(text) or _LIKE_NUMBER.fullmatch(text) for text in texts]
    if task is None and not any(odd):
        return np.array(texts)
    text_wanted = task is None and 2 * sum(map(bool, odd)) < len(texts)
    index = next(i for i, number in enumerate(numbers) if (bool(odd[i]) if text_wanted else not number))
    wanted = "text like the others" if text_wanted else "a number"
    advice = "" if task else "; task='classification' (--task) takes every value for the name of a class"
    raise FormatError(f"{place(index)}: the target must be {wanted}, got {texts[index]!r}{advice}")
