"""Reading as many bytes as a header promises, holding no more than the file has."""

from __future__ import annotations

from typing import BinaryIO

_PART = 2**20  # bytes read at a time


def read_up_to(file: BinaryIO, wanted: int) -> bytearray:
    """wanted bytes of file; fewer where it ends before, one more where it goes on."""
    content = bytearray()
    while len(content) <= wanted and (part := file.read(min(_PART, wanted + 1 - len(content)))):
        content += part
    return content


def count_of(content: bytearray, wanted: int) -> str:
    """How many bytes read_up_to found, in words."""
    return "more" if len(content) > wanted else str(len(content))
