"""Data sets from files: .npz, .csv, MNIST's .idx, plain or compressed with gzip.

read_data  ->  read_samples: by the file's name read_npz, read_csv or read_idx_pair  ->  target.read_target
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, FormatError
from ..paths import as_path
from .csv_file import read_csv
from .idx_file import read_idx_pair
from .npz_file import read_npz
from .target import Target, check_task, read_target


@dataclass(frozen=True)
class Samples:
    """X (n, features) float32, the target, and what it is called in the file."""

    X: np.ndarray
    target: Target
    target_name: str


def read_data(
    path: str | os.PathLike, *, target: str | None = None, task: str | None = None, header: bool | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """X (n, features) float32 and y of a file: (n,) int64 class numbers, or float32 for a regression.

    path    .npz with arrays X and y, or two arrays of any names, or X and what target names; .csv with a
            header or without, one sample a line; .idx or .idx.gz (also MNIST's names without that ending),
            whose bytes are scaled to [0, 1]. Images are flattened.
    target  .npz: the name of y's array; .csv: a column by name, or by number from 0, from the end when
            negative, the last one where none is given; .idx: the file of the labels, by default the one
            beside it with "labels" for "images" in its name
    task    "classification" or "regression"; None: whole numbers from 0 up, of any dtype, are class numbers,
            text is a class, rows with a single 1 too, and all else is a regression. Where more than 20
            different values occur fewer than 10 times each on average, an error asks for it.
    header  .csv: whether the first line holds names; None: it does where no cell of it is a number
    Text is numbered in the order of its sorted values; so are, with task="classification", whole numbers
    that are negative, or larger than 255 and than the number of samples.

    Raises FileNotFoundError, FormatError for what is no such file, with line, column and value where it has
    them (an empty cell, a feature or target that is no finite number or beyond float32), ArgumentError for
    arguments that do not fit the file.
    """
    samples = read_samples(path, target=target, task=task, header=header)
    return samples.X, samples.target.values


def read_samples(
    path: str | os.PathLike, *, target: str | None = None, task: str | None = None, header: bool | None = None
) -> Samples:
    """As read_data, with what the target was taken for."""
    check_task(task)
    path = Path(as_path(path))
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "path must be a data file, and there is none", str(path))
    name = path.name.removesuffix(".gz")
    if name.endswith(".csv"):
        X, y, lines, y_name = read_csv(path, target=target, task=task, header=header)
        where = f"{path}: line {{}}, {y_name}"
        found = read_target(y, task=task, place=lambda index: where.format(lines[index]))
        return Samples(X.astype(np.float32), found, y_name)
    if header is not None:
        raise ArgumentError(f"header must be given for a .csv file only, got {path.name!r}")
    if name.endswith(".npz"):
        X, y, y_name = read_npz(path, target=target)
    elif name.endswith((".idx", "-ubyte")) or ".idx" in name:
        X, y, y_name = read_idx_pair(path, target=target)
    else:
        raise ArgumentError(f"path must end in .npz, .csv, .idx or .idx.gz, got {path.name!r}")
    if len(X) != len(y):
        raise FormatError(f"{path}: X and y must hold as many samples, got {len(X)} and {len(y)}")
    found = read_target(y, task=task, place=lambda index: f"{path}: {y_name}, sample {index}")
    return Samples(_features(X, path), found, y_name)


def _features(X: np.ndarray, path: Path) -> np.ndarray:
    """X (n, ...) as (n, features) float32; FormatError for what is no finite number there."""
    if X.dtype.kind not in "biuf":
        raise FormatError(f"{path}: X must be an array of numbers, got {X.dtype}")
    with np.errstate(over="ignore"):
        features = np.ascontiguousarray(X.reshape(len(X), -1), np.float32)
    finite = np.isfinite(features)
    if not finite.all():
        row, column = divmod(int(finite.argmin()), features.shape[1])
        value = X.reshape(len(X), -1)[row, column]
        raise FormatError(
            f"{path}: X must be finite as float32, got {value} in sample {row}, feature {column}"
        )
    return features
