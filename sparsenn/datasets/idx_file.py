"""Arrays from MNIST's .idx format, plain or compressed. Format: http://yann.lecun.com/exdb/mnist/"""

from __future__ import annotations

import errno
import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import ArgumentError, FormatError
from ..paths import as_path
from .bounded import count_of, read_up_to

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 32


def read_idx_pair(path: Path, *, target: str | None = None) -> tuple[np.ndarray, np.ndarray, str]:
    """Images of one .idx file, bytes scaled to [0, 1], the labels of another, and that one's name."""
    labels = (
        Path(as_path(target, "target"))
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
    return X, y, labels.name


def read_idx(path: Path) -> np.ndarray:
    """The array of an .idx or .idx.gz file; never holds more than the file does."""
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            return _read(file, path)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise FormatError(f"{path}: not a gzip file: {error}") from error


def _read(file: BinaryIO, path: Path) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES:
        raise FormatError(f"{path}: not an .idx file: it starts with {head.hex(' ') or 'nothing'}")
    dimensions, data_type = head[3], np.dtype(_TYPES[head[2]])
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise FormatError(f"{path}: must have 1 to {MOST_DIMENSIONS} dimensions, got {dimensions}")
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise FormatError(f"{path}: truncated after {4 + len(sizes)} bytes, in the header")
    shape = struct.unpack(f">{dimensions}I", sizes)
    if 0 in shape:
        raise FormatError(f"{path}: must hold samples, got the shape {shape}")
    wanted = math.prod(shape) * data_type.itemsize
    content = read_up_to(file, wanted)
    if len(content) != wanted:
        raise FormatError(
            f"{path}: must hold {wanted} bytes for the shape {shape}, got {count_of(content, wanted)}"
        )
    return np.frombuffer(content, data_type).reshape(shape).astype(data_type.newbyteorder("="))
