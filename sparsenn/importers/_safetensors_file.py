"""The header of a .safetensors file, as strict as the format's own reader. Nothing in a file is trusted."""

from __future__ import annotations

import json
import math
from typing import NoReturn

import numpy as np

from ..errors import UnsupportedError

DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?"},
    **{
        "I64": "<i8",
        "I32": "<i4",
        "I16": "<i2",
        "I8": "i1",
        "U64": "<u8",
        "U32": "<u4",
        "U16": "<u2",
        "U8": "u1",
    },
}
LONGEST_HEADER = 100_000_000  # bytes: the format's own limit
LARGEST_SIZE = 2**64 - 1  # of a dimension, an offset, or a number of elements
MOST_DIMENSIONS = 32  # that every numpy has

Entry = tuple[str, tuple[int, ...], int, int]  # dtype, shape, begin and end in bytes


class HeaderError(ValueError):
    """What a header must have."""


def read_header(content: bytes, size: int) -> dict[str, Entry]:
    """The tensors that a header describes. HeaderError, with what it must have; UnsupportedError for a dtype.

    size   bytes after the header: the tensors must cover them all, without overlaps
    """
    header = _parse(content)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise HeaderError("texts alone in __metadata__")
    entries = {name: _entry(name, entry, size) for name, entry in header.items()}
    end = 0
    for name, (_dtype, _shape, first, last) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if first != end:
            raise HeaderError(
                f"the tensor {_cut(name)} begin where the one before it ends, {end}, got {first}"
            )
        end = last
    if end != size:
        raise HeaderError(f"tensors of all the {size} bytes after its header, got {end}")
    return entries


def _parse(content: bytes) -> dict:
    if not content.startswith(b"{"):
        raise HeaderError("a header that begins with '{'")
    try:
        header = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
        json.dumps(header, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair is no text
    except HeaderError:
        raise
    except (ValueError, RecursionError):
        raise HeaderError("a header in JSON and UTF-8") from None
    return header


def _unique(pairs: list[tuple[str, object]]) -> dict:
    values: dict = {}
    for name, value in pairs:
        if name in values:
            raise HeaderError(f"each name once, got {_cut(name)} twice")
        values[name] = value
    return values


def _cut(name: str) -> str:
    """A name from a file, fit for a message."""
    return repr(name if len(name) <= 80 else name[:77] + "...")


def _integer(text: str) -> int:
    return -1 if text.startswith("-") else int(text)  # -0 is no size either


def _no_constant(text: str) -> NoReturn:
    raise HeaderError(f"a header in JSON, which has no {text}")


def _entry(name: str, entry, size: int) -> Entry:
    """dtype, shape, begin and end in bytes, which fit each other and the file."""
    if not isinstance(entry, dict):
        raise HeaderError(f"a description of the tensor {_cut(name)}")
    dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or not all(_are_sizes(values) for values in (shape, offsets)):
        raise HeaderError(f"dtype, shape and data_offsets of the tensor {_cut(name)}")
    if dtype not in DTYPES:
        raise UnsupportedError(f"tensor {_cut(name)} must be of {', '.join(DTYPES)}, got {_cut(dtype)}")
    if len(shape) > MOST_DIMENSIONS:
        raise UnsupportedError(
            f"tensor {_cut(name)} must have at most {MOST_DIMENSIONS} dimensions, got {len(shape)}"
        )
    if len(offsets) != 2 or not 0 <= offsets[0] <= offsets[1] <= size:
        raise HeaderError(f"the tensor {_cut(name)} within its {size} bytes, got {offsets[:8]}")
    if math.prod(part for part in shape if part) > LARGEST_SIZE:
        raise HeaderError(f"a tensor {_cut(name)} whose size can be counted, got shape {shape}")
    if offsets[1] - offsets[0] != math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize:
        raise HeaderError(f"as many bytes as the tensor {_cut(name)} of shape {shape} takes, got {offsets}")
    return dtype, tuple(shape), *offsets


def _are_sizes(values) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value <= LARGEST_SIZE for value in values
    )
