"""Named arrays in one .npz file, laid out as numpy.savez does: neither compressed nor pickled.

Read without trusting anything: sizes are compared with the bytes that are there before an array is made, so
that time and memory follow the size of the file.
"""

from __future__ import annotations

import io
import math
import re
import zipfile

import numpy as np

from ..errors import FormatError

# What numpy writes before the values of a vector or matrix in C order.
_HEADER = re.compile(
    rb"\{'descr': '(<f4|<i4|<i8|\|u1)', 'fortran_order': False, 'shape': "
    rb"\(([0-9]{1,18}(?:, [0-9]{1,18}|,))\), \} *\n"
)
_MAGIC, _ALIGNMENT = b"\x93NUMPY\x01\x00", 16


def pack_arrays(arrays: dict[str, np.ndarray]) -> memoryview:
    """The bytes of an .npz file: float32, int32, int64 or uint8 arrays of one or two dimensions by name."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getbuffer()


def unpack_arrays(content: bytes) -> dict[str, np.ndarray]:
    """What pack_arrays was given, read-only. FormatError for any other bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _read_members(archive, len(content))
    except (FormatError, MemoryError):
        raise
    except Exception as error:  # there is no list of what zipfile raises for a damaged archive
        raise FormatError(f"no .npz archive: {error}") from None
    return {name: _as_array(name, member) for name, member in members.items()}


def _read_members(archive: zipfile.ZipFile, size: int) -> dict[str, bytes]:
    infos = archive.infolist()
    for info in infos:
        if (
            info.compress_type != zipfile.ZIP_STORED
            or info.flag_bits & 1
            or not info.filename.endswith(".npy")
        ):
            raise FormatError(f"member {info.filename[:80]!r} must be a plain .npy file, not compressed")
    if sum(info.file_size for info in infos) > size:
        raise FormatError(f"members must fit in the file's {size} bytes")
    if len({info.filename for info in infos}) != len(infos):
        raise FormatError("members must have different names")
    return {info.filename.removesuffix(".npy"): archive.read(info) for info in infos}


def _as_array(name: str, content: bytes) -> np.ndarray:
    start = 10 + int.from_bytes(content[8:10], "little")
    header = _HEADER.fullmatch(content[10:start])
    if content[:8] != _MAGIC or header is None or start % _ALIGNMENT:
        raise FormatError(
            f"array {name[:80]!r} must be float32, int32, int64 or uint8 as numpy.savez writes it"
        )
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(size) for size in header[2].removesuffix(b",").split(b", "))
    if math.prod(shape) * dtype.itemsize != len(content) - start:
        raise FormatError(
            f"array {name[:80]!r} must fill its {len(content) - start} bytes, got shape {shape}"
        )
    if 0 in shape:
        return np.empty((0,) * len(shape), dtype)  # no array of (0, 10**18) can be made
    return np.ndarray(shape, dtype, buffer=content, offset=start)
