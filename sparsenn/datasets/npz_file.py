"""X and y from a .npz file, without unpickling anything and without trusting what its headers promise."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import ArgumentError, FormatError
from .bounded import count_of, read_up_to


def read_npz(path: Path, *, target: str | None = None) -> tuple[np.ndarray, np.ndarray, str]:
    """The arrays X and y of a .npz file, and the name of y's array."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
            names = [name.removesuffix(".npy") for name in members]
            if len(set(names)) < len(names):
                raise FormatError(f"{path}: must hold each array once, got {', '.join(sorted(names))}")
            x_name, y_name = _choose(names, target, path)
            return (
                _array(archive, x_name, path),
                _array(archive, y_name, path),
                f"array {y_name!r}",
            )
    except (FormatError, ArgumentError, MemoryError):
        raise
    except Exception as error:  # zipfile and the decompressors have many of their own
        raise FormatError(f"{path}: not a .npz file: {error or type(error).__name__}") from error


def _choose(names: list[str], target: str | None, path: Path) -> tuple[str, str]:
    """The names of X and y among those of the arrays."""
    y_name = target or ("y" if "y" in names else None)
    if y_name is not None and y_name not in names:
        raise ArgumentError(
            f"target must be one of the arrays {', '.join(names)} of {path.name}, got {y_name!r}"
        )
    others = [name for name in names if name != y_name]
    x_name = "X" if "X" in others else "x" if "x" in others else others[0] if len(others) == 1 else None
    if y_name is None or x_name is None:
        raise FormatError(f"{path}: must hold the arrays X and y, got {', '.join(names) or 'none'}")
    return x_name, y_name


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    """One array; never holds more than the file does, whatever its header promises."""
    with archive.open(f"{name}.npy") as file:
        shape, columns_first, dtype = _read_header(file, name, path)
        if dtype.hasobject:
            raise FormatError(
                f"{path}: {name} must be a plain array, got Python objects, which are not unpickled"
            )
        if dtype.kind not in "biufU" or not shape or any(size < 0 for size in shape):
            raise FormatError(f"{path}: {name} must be an array of numbers (n, ...), got {dtype} {shape}")
        wanted = math.prod(shape) * dtype.itemsize
        content = read_up_to(file, wanted)
    if len(content) != wanted:
        raise FormatError(
            f"{path}: {name} must hold {wanted} bytes for the shape {shape}, got {count_of(content, wanted)}"
        )
    if not wanted:
        raise FormatError(f"{path}: {name} must hold samples, got shape {shape}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if columns_first else "C")


def _read_header(file: BinaryIO, name: str, path: Path) -> tuple[tuple[int, ...], bool, np.dtype]:
    """-> shape, whether columns come first, dtype."""
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file)
        return np.lib.format.read_array_header_2_0(file)
    except Exception as error:  # numpy evaluates the header as Python text
        raise FormatError(f"{path}: {name} is not a plain array: {error or type(error).__name__}") from error
