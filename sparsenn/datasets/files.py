"""Data sets from files: .npz, .csv, MNIST's .idx, plain or compressed with gzip.

read_data  ->  by the file's name: read_npz, read_csv or read_idx_pair  ->  X (n, features), y (n, ...)
"""

from __future__ import annotations

import csv
import errno
import gzip
import os
import struct
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, FormatError

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_data(path: str | os.PathLike, *, target: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """X (n, features) float32 and y of a file: (n,) int64 classes where y holds whole numbers, else float32.

    path    .npz with arrays X and y, or two arrays of any names, or X and what target names; .csv with a
            header or without, one sample a line; .idx or .idx.gz (also MNIST's names without that ending),
            whose bytes are scaled to [0, 1]. Images are flattened.
    target  .npz: the name of y's array; .csv: a column by name, or by number from 0, from the end when
            negative, the last one where none is given; .idx: the file of the labels, by default the one
            beside it with "labels" for "images" in its name
    A CSV target that holds text is numbered in the order of its sorted values. Raises FileNotFoundError,
    FormatError for what is no such file, ArgumentError for a target that is not there.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "path must be a data file, and there is none", str(path))
    name = path.name.removesuffix(".gz")
    if name.endswith(".npz"):
        X, y = read_npz(path, target=target)
    elif name.endswith(".csv"):
        X, y = read_csv(path, target=target)
    elif name.endswith((".idx", "-ubyte")) or ".idx" in name:
        X, y = read_idx_pair(path, target=target)
    else:
        raise ArgumentError(f"path must end in .npz, .csv, .idx or .idx.gz, got {path.name!r}")
    if len(X) != len(y):
        raise FormatError(f"{path}: X and y must hold as many samples, got {len(X)} and {len(y)}")
    return np.ascontiguousarray(X.reshape(len(X), -1), np.float32), as_targets(y)


def as_targets(y: np.ndarray) -> np.ndarray:
    """y as int64 where it is one-dimensional and holds whole numbers from 0 up, else as float32."""
    if y.ndim > 1 and y.size == len(y):
        y = y.reshape(-1)
    if y.ndim == 1 and y.dtype.kind in "biu" and (y.size == 0 or y.min() >= 0):
        return y.astype(np.int64)
    return y.astype(np.float32)


def read_npz(path: Path, *, target: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The arrays X and y of a .npz file, without unpickling anything."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError) as error:
        raise FormatError(f"{path}: not a .npz file of plain arrays: {error}") from error
    except Exception as error:  # zipfile's own, for what is no archive
        raise FormatError(f"{path}: not a .npz file: {error}") from error
    names = ", ".join(arrays)
    y_name = target or ("y" if "y" in arrays else None)
    if y_name is not None and y_name not in arrays:
        raise ArgumentError(f"target must be one of the arrays {names} of {path.name}, got {y_name!r}")
    others = [name for name in arrays if name != y_name]
    x_name = "X" if "X" in others else "x" if "x" in others else others[0] if len(others) == 1 else None
    if y_name is None or x_name is None:
        raise FormatError(f"{path}: must hold the arrays X and y, got {names or 'none'}")
    for name in (x_name, y_name):
        if arrays[name].dtype.kind not in "biuf" or arrays[name].ndim == 0:
            raise FormatError(f"{path}: {name} must be an array of numbers, got {arrays[name].dtype}")
    return arrays[x_name], arrays[y_name]


def read_csv(path: Path, *, target: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Features and target of a .csv or .csv.gz file; the separator and a header are detected.

    The first line is a header where a feature of it is no number.
    """
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            start = file.readline()
            separator = max(",;\t", key=start.count)
            file.seek(0)
            rows = [row for row in csv.reader(file, delimiter=separator) if row]
    except (UnicodeDecodeError, gzip.BadGzipFile, csv.Error, EOFError) as error:
        raise FormatError(f"{path}: not a text file of separated values: {error}") from error
    if not rows:
        raise FormatError(f"{path}: holds no lines")
    width = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise FormatError(
                f"{path}: line {number} must hold {width} values like the first, got {len(row)}"
            )
    if width < 2:
        raise FormatError(f"{path}: must hold a feature and a target at least, got {width} column")
    header = None
    if len(rows) > 1 and _is_header(rows[0], rows[1]):
        header, rows = [name.strip() for name in rows[0]], rows[1:]
    column = _target_column(target, header, width, path)
    y = _numbers_or_classes([row.pop(column) for row in rows])
    try:
        return np.array(rows, np.float32), y
    except ValueError:
        number, value = next((n, v) for n, row in enumerate(rows, 1) for v in row if not _is_number(v))
        raise FormatError(f"{path}: features must be numbers, got {value!r} in sample {number}") from None


def read_idx_pair(path: Path, *, target: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images of one .idx file, bytes scaled to [0, 1], and the labels of another."""
    labels = (
        Path(target)
        if target
        else path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    )
    if labels == path:
        raise ArgumentError(
            f"target must name the .idx file of the labels, got none, and {path.name!r} has no 'images'"
        )
    if not labels.is_file():
        raise FileNotFoundError(errno.ENOENT, "target must be an .idx file, and there is none", str(labels))
    images, y = read_idx(path), read_idx(labels)
    X = images / np.float32(255) if images.dtype == np.uint8 else images
    return X, y


def read_idx(path: Path) -> np.ndarray:
    """The array of an .idx or .idx.gz file. Format: http://yann.lecun.com/exdb/mnist/"""
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            content = file.read()
    except (gzip.BadGzipFile, EOFError) as error:
        raise FormatError(f"{path}: not a gzip file: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        raise FormatError(f"{path}: not an .idx file: it starts with {content[:4].hex(' ') or 'nothing'}")
    dimensions, data_type = content[3], np.dtype(_IDX_TYPES[content[2]])
    start = 4 + 4 * dimensions
    if dimensions == 0 or len(content) < start:
        raise FormatError(f"{path}: truncated after {len(content)} bytes, in the header")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    wanted = data_type.itemsize
    for size in shape:
        wanted *= size
    if len(content) - start != wanted:
        raise FormatError(
            f"{path}: must hold {wanted} bytes for the shape {shape}, got {len(content) - start}"
        )
    return np.frombuffer(content, data_type, offset=start).reshape(shape).astype(data_type.newbyteorder("="))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_header(first: list[str], second: list[str]) -> bool:
    """Whether a value is no number in the first line and one in the second."""
    return any(not _is_number(a) and _is_number(b) for a, b in zip(first, second, strict=True))


def _target_column(target: str | None, header: list[str] | None, width: int, path: Path) -> int:
    if target is None:
        return width - 1
    if header is not None and target in header:
        return header.index(target)
    try:
        column = int(target)
    except ValueError:
        names = (
            f", got {target!r}; there are {', '.join(header)}"
            if header
            else f", got {target!r}, and no header"
        )
        raise ArgumentError(f"target must be a column of {path.name}{names}") from None
    if not -width <= column < width:
        raise ArgumentError(f"target must be a column of {path.name} with {width} columns, got {column}")
    return column % width


def _numbers_or_classes(texts: list[str]) -> np.ndarray:
    """Whole numbers as int64, other numbers as float64, text as the place among its sorted values."""
    if not all(_is_number(text) for text in texts):
        return np.unique(np.array(texts), return_inverse=True)[1].astype(np.int64)
    values = np.array(texts, np.float64)
    return values.astype(np.int64) if np.array_equal(values, np.floor(values)) else values
