"""Save and load models. The C core is the only reader and writer of the format (src_c/FORMAT.md)."""

from __future__ import annotations

import errno
import os

from . import _core
from .bridge import from_core, to_core
from .model import Model
from .paths import as_path


def save(model: Model, path: str | os.PathLike) -> None:
    """Writes model as one .safetensors file, atomically: path holds the old file or the whole new one.

    Raises FileNotFoundError when the folder does not exist, OSError when it cannot be written, ArgumentError
    for a path that holds a NUL character.

    >>> import tempfile, os, sparsenn as snn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     snn.save(snn.mlp([4, 3, 2], sparsity=0.5), path)
    ...     snn.load(path)
    Model(4 -> 3 -> 2, 3 layers, sparsity=0.5000)
    """
    handle = to_core(model)
    path = as_path(path)
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "path must be in a folder that exists", path)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "path must be a file, not a folder", path)
    handle.save(os.fsencode(path))


def load(path: str | os.PathLike) -> Model:
    """Reads a model file; everything in it is validated.

    Raises FileNotFoundError, OSError when it cannot be read, FormatError when it is truncated, altered or
    no model file, VersionError when it is of a newer format, CSRError when a layer is no valid CSR matrix.
    """
    return from_core(read_core(path))


def read_core(path: str | os.PathLike) -> _core.Model:
    """What load reads, as the core holds it."""
    path = as_path(path)
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, "path must be a model file, and there is none", path)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "path must be a file, not a folder", path)
    return _core.Model.load(os.fsencode(path))
